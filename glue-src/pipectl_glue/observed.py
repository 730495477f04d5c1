"""Aggregates over the rows that pass one point of a query, taken while the query runs.

Spark's `Observation.get` waits for ever when the optimizer removes the observed part of the plan (SPARK-54620), and
when the event of the query's end is dropped from a full queue. So it is only called when its answer is there. Otherwise
the same aggregates are computed by a separate query, which always answers.
"""

import time
from typing import Any

from py4j.protocol import Py4JError
from pyspark.sql import Column, DataFrame, Observation

_WAIT_SECONDS = 20
_DRAIN_MILLISECONDS = 2000
_PAUSE_SECONDS = 0.02


class Observed:
    """`frame` with aggregates that are computed while it is read."""

    def __init__(self, frame: DataFrame, *aggregates: Column) -> None:
        self._source = frame
        self._aggregates = aggregates
        self._observation = Observation()
        self._values: dict[str, Any] | None = None
        self.frame = frame.observe(self._observation, *aggregates)

    def values(self, instead: DataFrame | None = None) -> dict[str, Any]:
        """The aggregates by name, after the query has run.

        Where Spark has not observed them, they are computed over the source again, or over `instead`, which must hold
        the same rows.
        """
        if self._values is None:
            if self._is_answered():
                self._values = self._observation.get
            else:
                again = self._source if instead is None else instead
                self._values = again.agg(*self._aggregates).collect()[0].asDict()
        return self._values

    def _is_answered(self) -> bool:
        """Whether Spark has delivered the aggregates; waits until it has processed the events of the query."""
        end = time.monotonic() + _WAIT_SECONDS
        try:
            bus = self._source.sparkSession.sparkContext._jsc.sc().listenerBus()
            while not self._has_metrics():
                if time.monotonic() > end:
                    return False
                if _is_drained(bus):
                    # What has not come by now does not come any more.
                    return self._has_metrics()
                time.sleep(_PAUSE_SECONDS)
        except Py4JError:
            # Another build of Spark, without these members.
            return False
        return True

    def _has_metrics(self) -> bool:
        # The class has no public method that does not wait.
        observation = self._observation._jo
        field = observation.getClass().getDeclaredField("metrics")
        field.setAccessible(True)
        return field.get(observation).isDefined()


def _is_drained(bus: Any) -> bool:
    try:
        bus.waitUntilEmpty(_DRAIN_MILLISECONDS)
    except Py4JError as error:
        if "TimeoutException" in str(error):
            return False
        raise
    return True
