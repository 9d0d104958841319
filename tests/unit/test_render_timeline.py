"""The survey's page: scales, episodes and marks; nothing but text comes of text; nothing is loaded, nothing is run."""

import base64
import dataclasses
import hashlib
import itertools
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nitroctl import pcr
from nitroctl.evidence import anomalies
from nitroctl.evidence.survey import Facts, Survey
from nitroctl.render import survey_page, timeline
from nitroctl.render.markup import Html, el, text, void
from nitroctl.render.survey_page import Page
from nitroctl.render.timeline_scale import GAP, Scale, episodes, marks
from nitroctl.render.timeline_style import SHEET
from tests.heaps import AT, IMAGE, OTHER, Wanted, taken

HOUR = timedelta(hours=1)
HOSTILE = "\"><script>alert(1)</script><img src=x onerror=alert(2)>'&\x1b]0;x\x07\u202e\udcff"


#: Elements that load nothing and run nothing, given that their links stay in the page.
HARMLESS = frozenset(
    re.findall(
        r"\w+",
        "html head meta title style body main header section footer div span p h1 h2 h3 b a code ul li details summary "
        "table thead tbody tr th td svg defs pattern g use line rect circle path text",
    )
)


class Read(HTMLParser):
    """What a browser would make of a page: its elements with their attributes, and its text."""

    VOID = frozenset({"meta"})

    def __init__(self, page: bytes) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.texts: list[str] = []
        self.sheets: list[str] = []
        self.comments: list[str] = []
        self.feed(page.decode())
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len(dict(attrs)) == len(attrs), f"an attribute twice: {tag} {attrs}"
        self.elements.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_comment(self, data: str) -> None:
        self.comments.append(data)

    def handle_data(self, data: str) -> None:
        (self.sheets if self.open and self.open[-1] == "style" else self.texts).append(data)

    @property
    def text(self) -> str:
        return " ".join(self.texts)

    def having(self, **wanted: str) -> list[tuple[str, dict[str, str | None]]]:
        return [one for one in self.elements if all(one[1].get(key) == value for key, value in wanted.items())]


def page(documents: Sequence[Facts], **more: object) -> bytes:
    heap = Survey()
    for one in documents:
        heap.add(one)
    members = {"judged": "each as of its own time", **more}
    return Page(survey=heap, findings=anomalies.find(heap), **members).html()  # type: ignore[arg-type]


def seen(*documents: Facts) -> list[object]:
    heap = Survey()
    for one in documents:
        heap.add(one)
    return list(heap.documents)


def one(**changes: object) -> Facts:
    """Return the facts of an authentic document, changed: another payload each time."""
    base = taken("a.cbor", Wanted().document()) if not _BASE else _BASE[0]
    _BASE[:] = [base]
    changed = dataclasses.replace(base, **changes)  # type: ignore[arg-type]
    return dataclasses.replace(changed, payload=hashlib.sha256(repr(changed).encode()).digest())


_BASE: list[Facts] = []


def at(offset: timedelta, **changes: object) -> Facts:
    """Return a document ``offset`` later, under a leaf of its own."""
    issued = AT + offset
    leaf = hashlib.sha256(str(issued).encode()).digest()
    times = {"time": issued, "begins": issued, "issued": issued, "ends": issued + 3 * HOUR, "leaf": leaf}
    return one(**{**times, **changes})


# -- markup


def test_text_is_escaped_and_made_visible() -> None:
    assert text(HOSTILE) == (
        "&quot;&gt;&lt;script&gt;alert(1)&lt;/script&gt;&lt;img src=x onerror=alert(2)&gt;&#x27;&amp;"
        "\\x1b]0;x\\x07\\u202e\\udcff"
    )


def test_an_element_escapes_children_and_attributes() -> None:
    assert el("p", "<b>", Html("<i></i>"), cls='"x', data_name="a&b", x=0, skipped="") == (
        '<p class="&quot;x" data-name="a&amp;b" x="0">&lt;b&gt;<i></i></p>'
    )
    assert void("meta", charset="utf-8") == '<meta charset="utf-8">'


# -- scale


SPANS = st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=400_000))
TIMES = st.datetimes(min_value=datetime(1970, 1, 1), max_value=datetime(9999, 12, 31)).map(  # noqa: DTZ001
    lambda moment: moment.replace(tzinfo=UTC)
)


@given(first=TIMES, last=TIMES)
def test_any_two_times_have_a_scale_with_ticks_inside(first: datetime, last: datetime) -> None:
    scale = Scale.around([first, last])
    assert scale.begin < scale.end
    ticks = scale.ticks(6)
    assert len(ticks) <= 7
    shares = [share for share, _ in ticks]
    assert shares == sorted(shares)
    assert all(0 <= share <= 1 for share in shares)
    assert len({label for _, label in ticks}) == len(ticks)


@given(before=st.integers(0, 10**9))
def test_scales_at_the_end_of_the_calendar(before: int) -> None:
    last = datetime.max.replace(tzinfo=UTC)
    scale = Scale.around([last - timedelta(milliseconds=before), last])
    assert all(0 <= share <= 1 for share, _ in scale.ticks(6))


@pytest.mark.parametrize(
    ("span", "labels"),
    [
        (timedelta(0), ["10:00"]),
        (3 * HOUR, ["10:00", "11:00", "12:00", "13:00"]),
        (timedelta(days=1), ["12:00", "18:00", "11-21", "06:00"]),
        (timedelta(days=6), ["2026-11-21", "2026-11-23", "2026-11-25"]),
        (timedelta(days=200), ["2027-01", "2027-03", "2027-05"]),
        (timedelta(days=3000), ["2028", "2030", "2032", "2034"]),
    ],
)
def test_ticks_are_round_times(span: timedelta, labels: list[str]) -> None:
    found = [label for _, label in Scale.around([AT, AT + span]).ticks(6)]
    assert found == labels


def test_what_lies_outside_is_at_the_edge() -> None:
    scale = Scale.around([AT, AT + HOUR])
    assert (scale.share(AT - HOUR), scale.share(AT + 2 * HOUR)) == (0, 1)


# -- episodes and marks


def test_an_episode_ends_where_no_leaf_lives_for_twelve_hours() -> None:
    near, far = 3 * HOUR + GAP, 3 * HOUR + GAP + timedelta(seconds=1)
    assert len(episodes(seen(at(0 * HOUR), at(near)))) == 1  # type: ignore[arg-type]
    found = episodes(seen(at(far), at(0 * HOUR)))  # type: ignore[arg-type]
    assert [[member.time for member in episode.documents] for episode in found] == [[AT], [AT + far]]


@given(offsets=st.lists(st.integers(0, 100_000), max_size=30))
def test_every_document_is_in_one_episode_and_in_one_mark(offsets: list[int]) -> None:
    documents = seen(*(at(timedelta(minutes=offset), name=str(number)) for number, offset in enumerate(offsets)))
    found = episodes(documents)  # type: ignore[arg-type]
    assert sorted(member.name for episode in found for member in episode.documents) == sorted(
        str(number) for number in range(len(offsets))
    )
    for episode in found:
        drawn = marks(episode.scale, episode.documents)
        assert [member for _, members in drawn for member in members] == list(episode.documents)
        shares = [share for share, _ in drawn]
        assert all(after - before >= 1 / 250 for before, after in itertools.pairwise(shares))


# -- the page


def test_the_page_of_nothing() -> None:
    read = Read(page([]))
    assert "0 authentic documents, judged each as of its own time. Everything here comes" in read.text
    assert "None: nothing in the authentic documents contradicts the rest." in read.text


def test_nothing_is_allowed_but_the_one_style_sheet() -> None:
    read = Read(page([one()]))
    (policy,) = read.having(**{"http-equiv": "Content-Security-Policy"})
    digest = base64.b64encode(hashlib.sha256(SHEET.encode()).digest()).decode()
    assert policy[1]["content"] == (
        f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    )
    assert read.sheets == [SHEET]
    assert read.elements.index(policy) < next(number for number, (tag, _) in enumerate(read.elements) if tag == "style")


def test_no_element_loads_or_runs_anything() -> None:
    read = Read(page([one(), one(pcrs={**IMAGE, 0: pcr.ZERO}, time=AT + HOUR)], refused=[("a", "b", "c")]))
    assert {tag for tag, _ in read.elements} <= HARMLESS
    for tag, attributes in read.elements:
        assert not [name for name in attributes if name.startswith("on") or name in {"src", "style", "action"}]
        href = attributes.get("href")
        assert href is None or (tag in {"a", "use"} and href.startswith("#"))
    assert "url(" not in SHEET.replace("url(#hatch)", "")
    assert "@import" not in SHEET


def test_links_and_shapes_lead_somewhere_in_the_page() -> None:
    read = Read(page([one(nonce=b"same"), one(nonce=b"same", time=AT + HOUR), one(pcrs={**IMAGE, 0: pcr.ZERO})]))
    ids = [attributes["id"] for _, attributes in read.elements if "id" in attributes]
    assert len(set(ids)) == len(ids)
    targets = {attributes["href"] for _, attributes in read.elements if "href" in attributes}
    assert targets <= {f"#{name}" for name in ids}
    assert {"#survey-nonce-reused", "#prod", "#debug", "#flag"} <= targets


def _two(documents: dict[str, object], more: dict[str, object]) -> bytes:
    """Return the page of two documents that share a nonce."""
    return page([one(nonce=b"n", **documents), one(nonce=b"n", time=AT + HOUR, **documents)], **more)


@pytest.mark.parametrize("where", ["name", "module_id", "region", "refused", "unread", "judged"])
def test_hostile_text_stays_text(where: str) -> None:
    hostile: dict[str, object] = {"refused": [(HOSTILE,) * 3], "unread": [(HOSTILE,) * 2], "judged": HOSTILE}
    harmless: dict[str, object] = {"refused": [("x",) * 3], "unread": [("x",) * 2], "judged": "x"}
    of_page = where in hostile
    calm = Read(_two({}, {where: harmless[where]} if of_page else {}))
    made = _two({} if of_page else {where: HOSTILE}, {where: hostile[where]} if of_page else {})
    read = Read(made)
    assert [tag for tag, _ in read.elements] == [tag for tag, _ in calm.elements]
    assert "<script>alert(1)</script>" in read.text
    assert read.comments == [" nitroctl attest survey "]
    assert not re.search(rb"[\x00-\x09\x0b-\x1f\x7f]", made)
    assert "\u202e" not in made.decode()


def test_debug_mode_differs_in_shape_and_pattern_too() -> None:
    read = Read(page([one(pcrs={**IMAGE, 0: pcr.ZERO, 4: b""})]))
    assert len(read.having(href="#debug")) == 2  # the legend's and the mark
    assert len(read.having(href="#prod")) == 1
    assert len([1 for tag, found in read.elements if (tag, found.get("class")) == ("rect", "leaf debug")]) == 2
    assert "DEBUG" in read.texts


def test_marks_bars_and_hints_say_what_they_are() -> None:
    read = Read(page([one()]))
    assert "2026-11-20T10:00:00.250Z a.cbor" in read.texts
    assert "leaf certificate, 2026-11-20T09:59:57Z to 2026-11-20T13:00:00Z" in read.texts
    launch = "launched 2026-11-20T09:50:00.250Z, by the enclave id (an undocumented habit of AWS's)"
    assert launch not in read.texts  # before the panel begins
    launched = at(timedelta(0), launched=AT + timedelta(seconds=1))
    assert any(word.startswith("launched 2026-11-20T10:00:01.250Z") for word in Read(page([launched])).texts)


def test_digests_are_whole() -> None:
    read = Read(page([one()]))
    for value in IMAGE.values():
        assert value.hex() in read.texts


def test_the_same_heap_gives_the_same_bytes() -> None:
    documents = [one(), one(instance_id=OTHER, module_id=f"{OTHER}-enc0000000000000001", nonce=b"x")]
    assert page(documents) == page(documents)


def test_times_at_the_ends_of_the_calendar() -> None:
    last = datetime(9999, 12, 31, 23, 59, 59, 999000, tzinfo=UTC)
    first = datetime(1970, 1, 1, 0, 0, 0, 1000, tzinfo=UTC)
    documents = [one(time=when, begins=when, issued=when, ends=when) for when in (first, last)]
    assert "1970-01-01 00:00 to 9999-12-31 23:59" in Read(page(documents)).text


# -- bounds, and that they are said


def test_rows_beyond_the_most_are_left_out_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timeline, "MOST_ROWS", 2)
    documents = []
    for number in range(5):
        instance = f"i-{number:08}"
        pcrs = {**IMAGE, 0: pcr.ZERO if number == 4 else b"\x10" * 48, 4: pcr.for_instance(instance)}
        documents.append(one(module_id=f"{instance}-enc1", instance_id=instance, pcrs=pcrs, leaf=bytes([number])))
    read = Read(page(documents))
    assert "3 more rows are not drawn; survey a part of the heap to see them." in read.texts
    rows = [attributes for _, attributes in read.elements if attributes.get("class") == "row"]
    assert len(rows) == 2
    assert "DEBUG" in read.texts  # what stands out is drawn first


def test_panels_beyond_the_most_are_left_out_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timeline, "MOST_EPISODES", 2)
    read = Read(page([at(timedelta(days=number)) for number in range(5)]))
    assert "The earlier 3 panels are not drawn; survey a part of the heap to see them." in read.texts
    assert len([1 for _, attributes in read.elements if attributes.get("class") == "panel"]) == 2


def test_rows_of_tables_beyond_the_most_are_left_out_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(survey_page, "MOST_LISTED", 2)
    read = Read(page([one()], refused=[(str(number), "check", "why") for number in range(5)]))
    assert "3 more rows are not listed here; --json has them." in read.texts
    assert "4" not in read.texts


def test_documents_too_close_to_tell_apart_are_one_mark() -> None:
    documents = [one(name=f"{number}.cbor", time=AT + timedelta(milliseconds=number)) for number in range(40)]
    read = Read(page(documents))
    (hint,) = [word for word in read.texts if word.startswith("2026-11-20T10:00:00.250Z 0.cbor")]
    assert hint.endswith("11.cbor · and 28 more")
