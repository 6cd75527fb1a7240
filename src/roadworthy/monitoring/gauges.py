"""The verdict as Prometheus figures in a text file, for node_exporter's textfile collector."""

from pathlib import Path

from prometheus_client import CollectorRegistry, Gauge, write_to_textfile

from roadworthy.monitoring.outcome import Monitored


def write(found: Monitored, path: Path) -> None:
    """Write them, by way of a temporary file."""
    registry = CollectorRegistry()

    def gauge(name: str, text: str, *labels: str) -> Gauge:
        return Gauge(f"roadworthy_monitor_{name}", text, ("task", *labels), registry=registry)

    task, judgement = found.task, found.judgement
    gauge("drifted", "1 where live traffic has drifted").labels(task).set(judgement.drifted)
    gauge("enough", "1 where there were enough images to judge").labels(task).set(judgement.enough)
    gauge("images", "Images that were judged").labels(task).set(found.images)
    gauge("new_labels", "Labelled images that the champion was not made with").labels(task).set(
        found.new_labels
    )
    gauge("until_seconds", "End of the window, Unix time").labels(task).set(found.until.timestamp())
    alarm = gauge("alarm", "1 where a test raised an alarm", "test")
    p = gauge("p", "How often chance alone gives as much", "test")
    effect = gauge("effect", "Size of the difference, in the unit of the test", "test")
    for test in judgement.tests:
        if test.p is not None:
            alarm.labels(task, test.name).set(test.alarm)
            p.labels(task, test.name).set(test.p)
            effect.labels(task, test.name).set(test.effect)
    wants = gauge("wants", "1 for what should happen next", "what")
    for what in ("nothing", "retrain", "labels"):
        wants.labels(task, what).set(found.wants == what)
    write_to_textfile(str(path), registry)
