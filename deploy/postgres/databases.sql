-- MLflow's is made by the image; Prefect gets its own.
CREATE DATABASE prefect;
