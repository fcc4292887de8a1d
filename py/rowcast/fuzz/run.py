"""The run: people in turn, resources in turn, some drawn requests each, until time is up."""

from __future__ import annotations

import time
import warnings
from collections import Counter, defaultdict
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import httpx
import psycopg
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.errors import HypothesisException, HypothesisWarning

from rowcast.fuzz import known, people
from rowcast.fuzz.calls import Call, to_function, to_table
from rowcast.fuzz.oracles import Finding, accepted, code_of, judge
from rowcast.fuzz.people import Person, Site, Victim

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rowcast.fuzz.document import Resource
    from rowcast.fuzz.nasty import Pool

EXAMPLES = 20
_SHRINKS = 150
_TIMEOUT = 20.0

_HIDDEN = """
select name from (
  select c.relname::text as name, n.nspname from pg_class as c
  join pg_namespace as n on n.oid = c.relnamespace
  union all
  select p.proname::text, n.nspname from pg_proc as p
  join pg_namespace as n on n.oid = p.pronamespace
  union all
  select a.attname::text, n.nspname from pg_attribute as a join pg_class as c on c.oid = a.attrelid
  join pg_namespace as n on n.oid = c.relnamespace where a.attnum > 0
) as named
group by name
having bool_or(nspname in ('private', 'ml')) and not bool_or(nspname not in ('private', 'ml'))
"""


class _Enough(BaseException):
    """Shrinking has gone on for long enough; not an Exception, so that Hypothesis lets it pass."""


@dataclass(slots=True)
class Report:
    """What a run sent and found."""

    seed: int
    requests: int = 0
    seconds: float = 0.0
    planted: list[str] = field(default_factory=list)
    bare: list[str] = field(default_factory=list)
    without: list[str] = field(default_factory=list)
    # (path, verb, person) -> answers by class of status
    coverage: dict[tuple[str, str, str], Counter[str]] = field(
        default_factory=lambda: defaultdict(Counter)
    )
    # (person, path) of those who have a right to read the victim's rows, and did
    entitled: Counter[tuple[str, str]] = field(default_factory=Counter)
    codes: Counter[str] = field(default_factory=Counter)
    # why -> server errors that are PostgREST's own
    accepted: Counter[str] = field(default_factory=Counter)
    # (rule, what, path) -> the shortest request that shows it, and by whom
    findings: dict[tuple[str, str, str], tuple[str, str]] = field(default_factory=dict)

    @property
    def untested(self) -> list[str]:
        """Paths that nobody ever got an answer 2xx from: behind them nothing was tested."""
        fine: dict[str, bool] = {}
        for (path, _, _), statuses in self.coverage.items():
            fine[path] = fine.get(path, False) or statuses["2xx"] > 0
        return sorted(path for path, reached in fine.items() if not reached)

    def as_dict(self) -> dict[str, Any]:
        """Plain data, for JSON."""
        return {
            "seed": self.seed,
            "requests": self.requests,
            "seconds": round(self.seconds, 1),
            "planted": self.planted,
            "bare": self.bare,
            "without": self.without,
            "untested": self.untested,
            "entitled": sorted({f"{person} {path}" for person, path in self.entitled}),
            "accepted": dict(self.accepted),
            "codes": dict(self.codes.most_common()),
            "coverage": [
                {"path": path, "verb": verb, "person": person, **statuses}
                for (path, verb, person), statuses in sorted(self.coverage.items())
            ],
            "findings": [
                {"rule": rule, "what": what, "path": path, "person": person, "curl": curl}
                for (rule, what, path), (person, curl) in self.findings.items()
            ],
        }


class Fuzzer:
    """One run against one site."""

    def __init__(self, site: Site, client: httpx.Client, number: int) -> None:
        self._site, self._client = site, client
        self.report = Report(number)
        self._round = 0
        self._victim: Victim = people.plant(client, site)
        self.report.planted, self.report.bare = self._victim.planted, self._victim.bare
        self._backend = Person("backend", site.secret_key)
        self._ward, self._wards_pool = self._new_ward()
        self._everybody = self._people = self._gather()
        self._knobs = known.Knobs.read(self._ground(self._backend))
        self._hidden = _hidden_names(site)
        self._before = people.checksums(site, client, self._victim)

    def anew(self) -> None:
        """Forget what was found; read the documents and the victim's rows again."""
        self.report, self._round = Report(self.report.seed), 0
        self._people = self._everybody
        for person in self._people:
            person.read_document(self._client)
        self._before = people.checksums(self._site, self._client, self._victim)

    def only(self, names: set[str], paths: set[str]) -> None:
        """Leave everybody and everything else alone."""
        self._people = [person for person in self._people if person.name in names]
        for person in self._people:
            person.resources = tuple(r for r in person.resources if r.path in paths)

    def rounds(self, examples: int = EXAMPLES) -> Iterator[Report]:
        """Draw requests for everybody and everything, again and again; the report after each."""
        while True:
            yield from self.one_pass(examples)

    def one_pass(self, examples: int = EXAMPLES) -> Iterator[Report]:
        """Everybody at everything once."""
        for person in self._people:
            for resource in person.resources:
                started = time.monotonic()
                self._draw(person, resource, self.report.seed + self._round, examples)
                self.report.seconds += time.monotonic() - started
                self._round += 1
                yield self.report

    def close(self) -> Report:
        """Look whether the victim's rows are as they were, and the stack is alive."""
        after = people.checksums(self._site, self._client, self._victim)
        for table, before in self._before.items():
            if after.get(table) != before:
                key = ("changed", "rows of the victim are not as they were", table)
                self.report.findings[key] = ("anybody", "(the request is not known: run the seed)")
        answer = self._client.get("/rest/v1/rpc/health", headers=self._people[0].headers)
        if answer.status_code != 200:
            key = ("alive", f"the stack is not well: {answer.status_code}", "/rpc/health")
            self.report.findings[key] = ("anon", "curl $SUPABASE_URL/rest/v1/rpc/health")
        return self.report

    def _ground(self, person: Person) -> known.Ground:
        return known.Ground(self._client, person, self._ward)

    def _new_ward(self) -> tuple[Person, Pool]:
        """Somebody for those who may change others; what is asked for are the rows of the start.

        For a ward that was given a role reads of the victim too.
        """
        ward = people.sign_up(self._client, self._site, "user")
        ward.read_document(self._client)
        people.own_something(self._client, ward)
        return ward, people.pool_of(self._client, ward)

    def _gather(self) -> list[Person]:
        site, client = self._site, self._client
        found = [Person("anon", site.publishable_key), people.sign_up(client, site, "user")]
        admin = people.sign_up(client, site, "admin")
        if people.make_admin(site, admin):
            found.append(admin)
        else:
            self.report.without.append("admin")
        found.append(self._backend)
        for person in found:
            person.read_document(client)
            people.own_something(client, person)
        return found

    def _pool(self, person: Person) -> Pool:
        """What to ask for: strangers know their own rows and have guessed ids of the victim's.

        Whoever has the right to change others gets the rows of a ward, made for that. One that was
        banned, signed out or erased has another after it.
        """
        if person.name in {"admin", "backend"}:
            me = self._client.get("/rest/v1/rpc/me", headers=self._ward.headers)
            if me.status_code != 200:
                self._ward, self._wards_pool = self._new_ward()
            return self._wards_pool
        own = people.pool_of(self._client, person)
        return replace(own, ids=(*own.ids[:5], *self._victim.guessed_ids))

    def _draw(self, person: Person, resource: Resource, number: int, examples: int) -> None:
        """A few requests to one resource; on a finding Hypothesis shrinks it."""
        pool = self._pool(person)
        others = [table.path[1:] for table in person.resources if not table.is_function]
        strategy = (
            to_function(resource, pool, known.calls(self._ground(person), resource.path))
            if resource.is_function
            # The secret key may rename everybody, so a write of its would not be a finding.
            else to_table(resource, others, pool, writes=person.name != "backend")
        )
        tries = 0
        shrinking = False

        def check(call: Call) -> None:
            nonlocal tries, shrinking
            tries += shrinking
            if tries > _SHRINKS:
                raise _Enough
            finding = self._send(person, call)
            if finding is not None and self._is_news(finding, call, person, fresh=not shrinking):
                shrinking = True
                raise AssertionError(finding)

        _explore(check, strategy, number, examples)
        if resource.path in known.KNOBS:
            self._knobs.restore(self._ground(self._backend))

    def _is_news(self, finding: Finding, call: Call, person: Person, *, fresh: bool) -> bool:
        """Keep the shortest request for a finding; one that an earlier round shrank is old."""
        key = (finding.rule, finding.what, call.path)
        known = self.report.findings.get(key)
        curl = call.curl(person.credentials)
        if known is None or len(curl) < len(known[1]):
            self.report.findings[key] = (person.name, curl)
        return known is None or not fresh

    def _send(self, person: Person, call: Call) -> Finding | None:
        try:
            answer = self._ask(person, call)
            self._count(person, call, answer)
            if call.method == "HEAD" and answer.status_code >= 500:
                call = replace(call, method="GET")  # which says what HEAD cannot
                answer = self._ask(person, call)
                if answer.status_code < 500:
                    return Finding("status", "5xx for HEAD, and not for GET")
        except httpx.TransportError as error:
            return Finding("silence", type(error).__name__)
        if self._victim.marker in answer.text:
            self.report.entitled[person.name, call.path] += 1
        if answer.status_code == 401 and person.token and code_of(answer.text) != "42501":
            self._renew(person)
        return judge(call, person, answer, self._victim, self._hidden)

    def _ask(self, person: Person, call: Call) -> httpx.Response:
        headers = [*person.headers.items(), *call.headers]
        url = httpx.URL(f"{self._site.api_url}/rest/v1{call.path}")
        url = url.copy_with(raw_path=f"/rest/v1{call.target}".encode())
        return self._client.request(call.method, url, headers=headers, content=call.body)

    def _count(self, person: Person, call: Call, answer: httpx.Response) -> None:
        report = self.report
        report.requests += 1
        report.coverage[call.path, call.method, person.name][f"{answer.status_code // 100}xx"] += 1
        if answer.status_code >= 400:
            report.codes[code_of(answer.text) or answer.text[:60] or str(answer.status_code)] += 1
        why = accepted(call, answer)
        if why:
            report.accepted[why] += 1

    def _renew(self, person: Person) -> None:
        """Some functions end the caller's own session or account: go on as somebody new."""
        fresh = people.sign_up(self._client, self._site, person.name)
        if person.name == "admin":
            people.make_admin(self._site, fresh)
        person.user_id, person.token = fresh.user_id, fresh.token


def _explore(check: Callable[[Call], None], strategy: Any, number: int, examples: int) -> None:
    """Let Hypothesis draw and shrink; what it finds stands in the report already."""
    quiet = settings(
        max_examples=examples,
        deadline=None,
        database=None,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
        report_multiple_bugs=False,
        print_blob=False,
    )
    drawn: Any = given(strategy)
    test: Callable[[], None] = seed(number)(quiet(drawn(check)))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", HypothesisWarning)
            test()
    except (AssertionError, HypothesisException, _Enough):
        return


def _hidden_names(site: Site) -> frozenset[str]:
    """Names that only `private` and `ml` hold; none without SQL, where patterns alone decide."""
    if site.db_url is None:
        return frozenset()
    with psycopg.connect(site.db_url) as connection:
        return frozenset(name for (name,) in connection.execute(_HIDDEN).fetchall())


def fuzz(
    site: Site,
    number: int,
    keep_on: Callable[[Report], bool],
    examples: int = EXAMPLES,
) -> Report:
    """Fuzz until `keep_on` says no; gives the report with the last checks made."""
    with httpx.Client(base_url=site.api_url, timeout=_TIMEOUT) as client:
        fuzzer = Fuzzer(site, client, number)
        for report in fuzzer.rounds(examples):
            if not keep_on(report):
                break
        return fuzzer.close()
