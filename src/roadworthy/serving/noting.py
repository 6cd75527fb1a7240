"""What is remembered of an answer when the caller has it: counted, watched, logged, and shadowed."""

import numpy as np

from roadworthy.bundle.predictor import Prediction
from roadworthy.serving.batching import Row
from roadworthy.serving.champions import Champion
from roadworthy.serving.context import Context
from roadworthy.serving.record import Facts, Record
from roadworthy.serving.uploads import Upload


def note(
    context: Context,
    task: str,
    champion: Champion,
    upload: Upload,
    facts: Facts,
    row: Row,
    answer: Prediction,
    request: str,
) -> None:
    """Remember one answer about one image; never waits.

    Args:
        row: what the network gave.
        request: id of the request.
    """
    context.metrics.answered(task, champion.version, answer.label, answer.sure, answer.probability)
    probabilities = np.array(list(answer.probabilities.values()))
    champion.window.add(facts.statistics, float(probabilities.max()), probabilities)
    if context.shadow:
        context.shadow.offer(task, champion, upload.content, answer, upload.id, request)
    if context.log:
        record = Record(
            **vars(facts),
            id=upload.id,
            request_id=request,
            task=task,
            version=champion.version,
            digest=champion.digest,
            label=answer.label,
            probability=answer.probability,
            sure=answer.sure,
            probabilities=answer.probabilities,
            embedding=row.embedding,
        )
        context.log.put(record, upload.content)
