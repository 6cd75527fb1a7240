"""When and where the road is walked: Prefect. No machine learning in here."""
