"""The settings of the topics: their names, and how long a success on the groups topic counts."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, Field, ValidationInfo, field_validator

Topic = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,249}$")]


class TopicSettings(BaseModel):
    """The topics, and how long a success counts for its group."""

    request_topic: Annotated[Topic, Field(description="Topic that the proofs are read from.")] = "lean.proofs"
    result_topic: Annotated[Topic, Field(description="Topic that the verdicts are written to, keyed by custom_id.")] = (
        "lean.results"
    )
    dlq_topic: Annotated[Topic, Field(description="Topic for the records that cannot be answered (dead letters).")] = (
        "lean.proofs.dlq"
    )
    ingest_topic: Annotated[
        Topic, Field(description="Topic that the router reads: proofs from producers that do not choose the partition.")
    ] = "lean.proofs.ingest"
    groups_topic: Annotated[
        Topic,
        Field(
            description="Topic on which workers tell each other which attempts of a group have succeeded, and are "
            "told what is cancelled."
        ),
    ] = "lean.groups"
    group_ttl: Annotated[
        float,
        Field(
            ge=0,
            # The groups topic keeps its records for eight days (bus/topics.py): a success must not outlive its record.
            le=7 * 24 * 3600,
            allow_inf_nan=False,
            description="Seconds for which a success supersedes the other attempts of its group; 0: none ever does.",
        ),
    ] = 3600.0

    @field_validator("result_topic", "dlq_topic", "ingest_topic", "groups_topic")
    @classmethod
    def _topics_differ(cls, value: str, info: ValidationInfo) -> str:
        # Only those that stand before the field are there already.
        others = ("request_topic", "result_topic", "dlq_topic", "ingest_topic")
        if value in [info.data.get(name) for name in others if name != info.field_name]:
            raise ValueError(
                "request_topic, result_topic, dlq_topic, ingest_topic and groups_topic must be five different topics"
            )
        return value
