"""The flags of every command that reads proofs from files: the input, and values that replace those of requests."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path  # noqa: TC003 - Typer reads the annotations
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from streamverify.cli.checks import ColumnName
from streamverify.cli.errors import InputError
from streamverify.cli.options import with_flags
from streamverify.cli.output import remark
from streamverify.core.messages.assurance import Require  # noqa: TC001 - Typer reads the annotations

if TYPE_CHECKING:
    from streamverify.cli.inputs import Inputs

COLUMNS_HELP = """\
JSONL has one request in a line: {"custom_id": "1", "proof": "theorem ..."}.
Other columns: --id-column problem_id --proof-column full_proof.
The custom_id of a .lean file is its path. From a folder every .lean and
.jsonl file is read, at any depth. Standard input is JSONL or one Lean file.

--run NAME tells runs of the same ids apart: it comes back in the results.
Their key stays the custom_id, so a compacted result topic keeps only the
newest run of each; --prefix-ids (NAME/id) keeps all."""

_PANEL = "Requests"


@dataclass(frozen=True, kw_only=True)
class InputOptions:
    """The input that the command line describes. A field is a flag; it has that flag's name and default."""

    files: Annotated[list[str], typer.Argument(metavar="FILES", help=".lean files, JSONL, folders; - is stdin.")]
    timeout: Annotated[
        float | None,
        typer.Option(
            rich_help_panel=_PANEL, help="Seconds that Lean may run on each proof, in place of its own timeout."
        ),
    ] = None
    require: Annotated[
        Require | None,
        typer.Option(rich_help_panel=_PANEL, help="Assurance that a proof needs to be verified, in place of its own."),
    ] = None
    run: Annotated[
        str | None, typer.Option(metavar="NAME", rich_help_panel=_PANEL, help="Name of this run, in each result.")
    ] = None
    prefix_ids: Annotated[
        bool, typer.Option("--prefix-ids", rich_help_panel=_PANEL, help="Put the run before each custom_id: NAME/id.")
    ] = False
    metadata: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KEY=VALUE", rich_help_panel=_PANEL, help="Add this text to the metadata of each; repeatable."
        ),
    ] = None
    theorem: Annotated[
        str | None, typer.Option(metavar="NAME", rich_help_panel=_PANEL, help="The theorem to audit in each file.")
    ] = None
    statement: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            rich_help_panel=_PANEL,
            help="The statement that each has to prove: Lean that ends in sorry.",
        ),
    ] = None
    form: Annotated[
        Literal["lean", "jsonl"] | None,
        typer.Option("--format", rich_help_panel=_PANEL, help="Format of the files, whatever their names end in."),
    ] = None
    id_column: Annotated[str | None, ColumnName(_PANEL, "JSONL: the column of the custom_id.")] = None
    proof_column: Annotated[str | None, ColumnName(_PANEL, "JSONL: the column of the proof.")] = None
    statement_column: Annotated[str | None, ColumnName(_PANEL, "JSONL: the column of the statement.")] = None
    limit: Annotated[
        int | None, typer.Option(min=1, metavar="N", rich_help_panel=_PANEL, help="Stop after N requests.")
    ] = None

    def find(self) -> Inputs:
        """Find the files, before anything is sent.

        Raises:
            InputError: A flag or a file is wrong.
        """
        from streamverify.cli.inputs import Inputs  # noqa: PLC0415 - keeps --help fast
        from streamverify.cli.overrides import ColumnNames, Overrides  # noqa: PLC0415 - keeps --help fast
        from streamverify.core.messages.codec import RequestLimits  # noqa: PLC0415 - keeps --help fast
        from streamverify.core.topic_plans import MAX_PROOF_BYTES  # noqa: PLC0415 - keeps --help fast

        overrides = Overrides(
            timeout=self.timeout,
            require=self.require,
            run=self.run,
            prefix_ids=self.prefix_ids,
            theorem=self.theorem,
            statement=None if self.statement is None else _text_of(self.statement),
            metadata=parse_metadata(self.metadata or ()),
        )
        return Inputs.find(
            self.files,
            # What the topic and the worker take is for them to say.
            RequestLimits(MAX_PROOF_BYTES, "no setting allows more than {0:,}"),
            overrides,
            columns=ColumnNames(self.id_column, self.proof_column, self.statement_column),
            form=self.form,
            limit=self.limit,
            say=remark,
        )


with_inputs = with_flags(InputOptions)
"""Give a command these flags; it gets them as its argument `given`."""


def parse_metadata(pairs: list[str] | tuple[str, ...]) -> dict[str, str]:
    """Read `key=value` pairs; all values are texts.

    Raises:
        InputError: One has no key or no equals sign.
    """
    metadata = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not key or not equals:
            raise InputError(f"--metadata must be KEY=VALUE, not {pair[:80]!r}")
        metadata[key] = value
    return metadata


def _text_of(file: Path) -> str:
    try:
        return file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else f"is not UTF-8 (byte {error.start})"
        raise InputError(f"--statement {str(file)!r}: {why}") from None
