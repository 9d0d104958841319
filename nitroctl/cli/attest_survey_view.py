"""The answer of ``nitroctl attest survey``, for machines and for people."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from nitroctl.render.view import Block, Cell, Checks, Fields, Headline, Table, Text, Value

if TYPE_CHECKING:
    from datetime import datetime

    from nitroctl.checks import Report
    from nitroctl.cli.attest_survey import Heap
    from nitroctl.evidence.anomalies import Finding
    from nitroctl.evidence.survey import Group, Image
    from nitroctl.records import Entry

#: The most rows of a table, findings of a kind, and documents of a finding that people are shown. --json has all.
_ROWS, _FINDINGS, _DOCUMENTS = 10, 5, 5
_COUNTS: Final = ("documents", "enclaves", "first", "last")


class Answer:
    """What the heap comes to, ready to be shown."""

    def __init__(
        self,
        heap: "Heap",
        findings: "Sequence[Finding]",
        report: "Report",
        *,
        records: str | None,
        html: str | None,
        check: bool,
    ) -> None:
        self._heap, self._survey = heap, heap.survey
        self._findings, self._report = findings, report
        self._records, self._html, self._check = records, html, check

    @property
    def sentence(self) -> str:
        """The answer in one line."""
        heap = self._heap
        kinds = len({finding.anomaly for finding in self._findings})
        parts = [f"{len(self._survey.documents)} authentic", f"{len(heap.refused)} refused"]
        parts += [f"{len(heap.unread)} not read"] if heap.unread else []
        anomalies = "no anomaly" if not kinds else _count(kinds, "kind") + " of anomaly"
        return f"{_count(heap.count, 'document')}, judged {heap.judged}: {', '.join(parts)}; {anomalies}"

    # -- for machines

    def data(self) -> dict[str, object]:
        """Return the members of attest.survey/1."""
        from nitroctl.evidence.chain import instant

        heap, survey, span = self._heap, self._survey, self._survey.span
        return {
            "answer": self.sentence,
            "at": instant(heap.judge.at) if heap.judge.at else None,
            "at_chosen_by": heap.judge.chosen,
            "records": self._records,
            "html": self._html,
            "counts": self._counts(),
            "span": {"first": instant(span[0]), "last": instant(span[1])} if span else None,
            **self._groups(),
            "enclaves": [
                {
                    "module_id": enclave.module_id,
                    "kind": enclave.kind.value,
                    "instance_id": enclave.instance_id,
                    "launched_at": instant(enclave.launched) if enclave.launched else None,
                    "documents": len(enclave.documents),
                    "debug_documents": sum(seen.registers.image.debug for seen in enclave.documents),
                    "leaf_certificates": len({seen.leaf for seen in enclave.documents}),
                    "first": instant(min(seen.time for seen in enclave.documents)),
                    "last": instant(max(seen.time for seen in enclave.documents)),
                }
                for enclave in survey.enclaves.values()
            ],
            "anomalies": [
                {
                    "id": finding.anomaly.id,
                    "subject": finding.subject,
                    "detail": finding.detail,
                    "meaning": finding.anomaly.meaning,
                    "documents": [{"file": seen.name, "time": instant(seen.time)} for seen in finding.documents],
                }
                for finding in self._findings
            ],
            "refused": [{"file": name, "check": check, "detail": detail} for name, check, detail in heap.refused],
            "unread": [{"file": name, "code": error.code, "message": error.message} for name, error in heap.unread],
            "report": self._report.as_json(),
        }

    def _counts(self) -> dict[str, int]:
        survey = self._survey
        kinds = [seen.enclave.kind.value for seen in survey.documents]
        return {
            "documents": self._heap.count,
            "authentic": len(survey.documents),
            "refused": len(self._heap.refused),
            "unread": len(self._heap.unread),
            "different": len(survey.payloads),
            "enclave_documents": kinds.count("enclave"),
            "nitrotpm_documents": kinds.count("nitrotpm"),
            "debug_documents": sum(seen.registers.image.debug for seen in survey.documents),
            "images": len({seen.registers.image for seen in survey.documents if not seen.registers.image.debug}),
            "enclaves": sum(enclave.kind.value == "enclave" for enclave in survey.enclaves.values()),
            "instances": len({enclave.instance_id for enclave in survey.enclaves.values()} - {None}),
            "regions": len({seen.region for seen in survey.documents} - {None}),
            "leaf_certificates": len(survey.leaves),
            "anomalies": len(self._findings),
        }

    def _groups(self) -> dict[str, object]:
        from nitroctl import pcr
        from nitroctl.evidence import survey as surveys
        from nitroctl.evidence.document import Kind

        survey, recorded = self._survey, self._recorded()
        return {
            "images": [
                {
                    "kind": image.kind.value,
                    "pcrs": pcr.as_hex(image.pcrs),
                    "debug": image.debug,
                    "records": [
                        {"id": entry.id, "status": entry.status.value} for entry in recorded.get(image, {}).values()
                    ],
                    **_group(group),
                }
                for image, group in survey.grouped(surveys.image).items()
            ],
            **{
                name: [
                    {register: value.hex() if value else None, **_group(group)}
                    for value, group in survey.grouped(key, Kind.ENCLAVE).items()
                ]
                for name, register, key in (
                    ("kernels", "PCR1", surveys.kernel),
                    ("roles", "PCR3", surveys.role),
                    ("signers", "PCR8", surveys.signer),
                )
            },
            "regions": [
                {"region": region, "partition": root.partition, "root": root.name, **_group(group)}
                for (region, root), group in survey.grouped(surveys.place).items()
            ],
            "instances": [
                {"instance_id": instance, "region": region, **_group(group)}
                for (instance, region), group in survey.grouped(surveys.instance).items()
            ],
        }

    def _recorded(self) -> "Mapping[Image, dict[str, Entry]]":
        """Return each image's records, by id."""
        found: dict[Image, dict[str, Entry]] = {}
        for registers in {seen.registers: None for seen in self._survey.documents}:
            found.setdefault(registers.image, {}).update({entry.id: entry for entry in registers.records})
        return found

    # -- for people

    def view(self) -> list[Block]:
        """Return the blocks."""
        from nitroctl.checks import Outcome

        calm = not self._findings and not self._heap.refused and not self._heap.unread
        bad = Outcome.FAIL if self._check and not self._report.passed else Outcome.WARN
        return [
            Headline(self.sentence, Outcome.PASS if calm else bad),
            *([Fields(self._summary())] if self._survey.documents else []),
            *self._anomalies(),
            *(self._tables() if self._survey.documents else []),
            *self._apart(),
        ]

    def _summary(self) -> list[tuple[str, Value]]:
        from nitroctl.evidence.chain import instant

        counts, span = self._counts(), self._survey.span
        roots = {seen.root: None for seen in self._survey.documents}
        debug, number = counts["debug_documents"], counts["authentic"]
        mixed = f"{counts['enclave_documents']} of enclaves, {counts['nitrotpm_documents']} of NitroTPMs"
        rows: list[tuple[str, Value]] = [("authentic", f"{number}: {mixed}")]
        rows += [("from", instant(span[0])), ("to", instant(span[1]))] if span else []
        rows += [
            ("debug mode", Cell(f"{debug} of {number}", "warn") if debug else "none"),
            ("enclaves", str(counts["enclaves"])),
            ("instances", f"{counts['instances']}, with those of NitroTPMs"),
            ("images", f"{counts['images']}, not counting debug mode, which attests none"),
        ]
        rows += [("root", f"{root.name}, SHA-256 {root.fingerprint}") for root in roots]
        rows.append(("records", self._records or Cell("none: images have no names without --records", "dim")))
        rows += [("report", self._html)] if self._html else []
        return rows

    def _anomalies(self) -> "Iterator[Block]":
        from nitroctl.checks import Outcome
        from nitroctl.evidence.anomalies import ANOMALIES
        from nitroctl.evidence.chain import instant

        checks = [check for check in self._report if check.outcome in (Outcome.WARN, Outcome.FAIL)]
        if checks:
            yield Text("")
            yield Checks(type(self._report)(tuple(checks)), every=False)
        for anomaly in ANOMALIES:
            mine = [finding for finding in self._findings if finding.anomaly is anomaly]
            rows: list[tuple[str, Value]] = []
            for finding in mine[:_FINDINGS]:
                rows.append(("found", finding.detail))
                rows.append(("in", finding.subject))
                rows += [("", f"{seen.name}, {instant(seen.time)}") for seen in finding.documents[:_DOCUMENTS]]
                rows += _more(len(finding.documents), _DOCUMENTS, "documents")
            if mine:
                rows += _more(len(mine), _FINDINGS, "findings")
                yield Fields(rows, title=f"{anomaly.name[:1].upper()}{anomaly.name[1:]}")

    def _tables(self) -> "Iterator[Block]":
        from nitroctl.evidence import survey as surveys
        from nitroctl.evidence.document import Kind

        survey = self._survey
        yield from self._images()
        for title, zero, key in (
            ("Kernels and boot ramdisks, by PCR1", "zero: debug mode", surveys.kernel),
            ("Roles, by PCR3", "zero: the parent has no role", surveys.role),
            ("Signers, by PCR8", "zero: not signed, or debug mode", surveys.signer),
        ):
            values: list[tuple[str, Value]] = [
                (_share(group), value.hex() if value else Cell(zero, "dim"))
                for value, group in survey.grouped(key, Kind.ENCLAVE).items()
            ]
            yield from _fields(title, values)
        rows: list[tuple[Value, ...]] = [
            (*_numbers(group), region or Cell("unknown", "dim"), root.partition or Cell("not AWS's", "warn"))
            for (region, root), group in survey.grouped(surveys.place).items()
        ]
        yield from _table("Regions", (*_COUNTS, "region", "partition"), rows)
        rows = [
            (*_numbers(group), instance or Cell("unknown", "dim"), region or Cell("unknown", "dim"))
            for (instance, region), group in survey.grouped(surveys.instance).items()
        ]
        yield from _table("Instances", (*_COUNTS, "instance", "region"), rows)
        yield from self._launches()

    def _images(self) -> "Iterator[Block]":
        from nitroctl.evidence import survey as surveys
        from nitroctl.evidence.document import Kind

        recorded = self._recorded()
        for kind, register in ((Kind.ENCLAVE, 0), (Kind.NITROTPM, 4)):
            rows: list[tuple[str, Value]] = []
            for image, group in self._survey.grouped(surveys.image, kind).items():
                rows.append((_share(group), _register(image, register)))
                rows += [("", _entry(entry)) for entry in recorded.get(image, {}).values()]
            what = "Images" if kind is Kind.ENCLAVE else "Images of NitroTPM instances"
            yield from _fields(f"{what}, by PCR{register}", rows)

    def _launches(self) -> "Iterator[Block]":
        from nitroctl.evidence.chain import instant

        enclaves = sorted(self._survey.enclaves.values(), key=lambda enclave: -len(enclave.documents))
        rows: list[tuple[Value, ...]] = [
            (
                str(len(enclave.documents)),
                str(len({seen.leaf for seen in enclave.documents})),
                instant(enclave.launched) if enclave.launched else Cell("unknown", "dim"),
                enclave.module_id,
            )
            for enclave in enclaves
        ]
        columns = ("documents", "leaves", "launched, by its id", "module id")
        yield from _table("Enclaves and NitroTPMs", columns, rows)

    def _apart(self) -> "Iterator[Block]":
        refused: list[tuple[Value, ...]] = [(name, check, detail) for name, check, detail in self._heap.refused]
        yield from _table("Refused, and of no account in the above", ("document", "check", "reason"), refused)
        unread: list[tuple[Value, ...]] = [(error.message, error.code) for _, error in self._heap.unread]
        yield from _table("Not read", ("input", "code"), unread)


def _table(title: str, columns: Sequence[str], rows: Sequence[Sequence[Value]]) -> "Iterator[Block]":
    if rows:
        yield Table(columns, rows[:_ROWS], title=title)
        if len(rows) > _ROWS:
            yield Text(f"and {len(rows) - _ROWS} more: --json has them all", "dim")


def _fields(title: str, rows: Sequence[tuple[str, Value]]) -> "Iterator[Block]":
    """Yield registers beside how often they occur: long values, which a table would not hold."""
    shown: list[tuple[str, Value]] = [*rows[:_ROWS]]
    if len(rows) > _ROWS:
        shown.append(("", Cell(f"and {len(rows) - _ROWS} more: --json has them all", "dim")))
    if rows:
        yield Fields(shown, title=title)


def _share(group: "Group") -> str:
    return f"{_count(group.documents, 'document')}, {_count(group.enclaves, 'enclave')}"


def _more(count: int, shown: int, things: str) -> list[tuple[str, Value]]:
    return [("", Cell(f"and {count - shown} more {things}: --json has them all", "dim"))] if count > shown else []


def _group(group: "Group") -> dict[str, object]:
    from nitroctl.evidence.chain import instant

    return {
        "documents": group.documents,
        "enclaves": group.enclaves,
        "instances": group.instances,
        "images": group.images,
        "debug_documents": group.debug,
        "first": instant(group.first),
        "last": instant(group.last),
    }


def _numbers(group: "Group") -> tuple[str, str, str, str]:
    return str(group.documents), str(group.enclaves), _day(group.first), _day(group.last)


def _day(at: "datetime") -> str:
    return f"{at:%Y-%m-%d}"


def _entry(entry: "Entry") -> Value:
    return Cell(f"{entry.id} ({entry.status.value})", "bad" if entry.status.value == "revoked" else "")


def _register(image: "Image", index: int) -> Value:
    value = image.pcrs.get(index)
    if image.debug:
        return Cell("debug mode, which attests no image", "warn")
    return value.hex() if value else Cell("absent", "dim")


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"
