"""`python -m roadworthy VERB`, which is how `dvc.yaml` starts a stage."""

from roadworthy.cli import app

app(prog_name="roadworthy")
