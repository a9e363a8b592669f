"""telehealth broker mosquitto-config|sync|rabbitmq-config|rabbitmq-auth"""

from __future__ import annotations

import typer

from telehealth.cli import broker_mosquitto, broker_rabbitmq, broker_sync

app = typer.Typer(help="Brokers.", no_args_is_help=True)
app.command("mosquitto-config")(broker_mosquitto.configure)
app.command("sync")(broker_sync.sync)
app.command("rabbitmq-config")(broker_rabbitmq.configure)
app.command("rabbitmq-auth")(broker_rabbitmq.authorise)
