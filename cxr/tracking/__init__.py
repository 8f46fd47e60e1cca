"""The one room that talks to MLflow.

Every call names its run, so that nothing is ever logged to a run that happened to be open. MLflow is imported when the
first run is opened, not before.
"""
