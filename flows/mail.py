"""Mail over SMTP as a Prefect block; Prefect itself has Slack, Teams, webhooks and others.

prefect block register -m flows.mail
"""

from roadworthy import environment

# Prefect reads its settings when it is imported.
environment.apply()

from prefect.blocks.notifications import AppriseNotificationBlock  # noqa: E402


class Mail(AppriseNotificationBlock):
    """Notices by mail. `url` is Apprise's: `mailtos://USER:PASSWORD@HOST:PORT?from=A&to=B`."""

    _block_type_name = "Mail"
    _block_type_slug = "mail"
