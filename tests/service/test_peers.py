"""Who may associate: every condition alone and together, users, and what a stranger is told."""

from __future__ import annotations

import datetime
import itertools
from ipaddress import ip_network
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding

from proxy.errors import AuditUnavailable
from proxy.service.callers import EVERY, Caller, CannotJudge, StoredToken, Unknown, Verb
from proxy.service.known_peers import KnownPeer, names_of
from proxy.service.peers import Admission, Admitted
from proxy.service.ports import AuditEvent
from proxy.service.static_tokens import StaticCallers, digest_of, new_token
from proxy.wire.negotiation import (
    CALLED_AE_UNKNOWN,
    CALLING_AE_UNKNOWN,
    LOCAL_LIMIT,
    NO_REASON_GIVEN,
    Rejection,
    Request,
    UserIdentity,
)
from tests.authorities import leaf, root
from tests.service.fakes import Audit

ROUTES = {"VEIL": "research", "TRIAL": "trial", "VEIL_MOVE": "upstream:old"}
CT1 = leaf("ct-1", ("CT-1.example.org", "10.1.2.17"))
OTHER = leaf("ct-2", ("ct-2.example.org",))
DER, FOREIGN = (pair.certificate.public_bytes(Encoding.DER) for pair in (CT1, OTHER))
DIGEST = CT1.certificate.fingerprint(SHA256()).hex()
STORE = {"research": frozenset({Verb.STORE})}


class Trail(Audit):
    """Without the records of who may call."""

    async def record(self, *events: AuditEvent) -> None:
        await super().record(*(event for event in events if event.type != "callers-changed"))


def asked(calling: str = "CT1", called: str = "VEIL", identity: UserIdentity | None = None) -> Request:
    return Request(called, calling, (), identity=identity)


def peer(**conditions: Any) -> KnownPeer:
    return KnownPeer("ct-1", **{"grants": STORE, **conditions})


async def refusal(door: Admission, trail: Trail, request: Request, address: str = "10.1.2.17", der: Any = None) -> Any:
    """(rejection, reason), recorded."""
    before = len(trail.events)
    answer = await door.admit(request, address, der)
    assert isinstance(answer, Rejection)
    (event,) = trail.events[before:]
    assert (event.type, event.outcome) == ("denied", "failure")
    assert event.peer["transport"] == "dimse"
    assert event.peer["address"] == address
    return answer, event.reason


async def test_without_peers_everybody_is_in_who_names_a_project() -> None:
    trail = Trail()
    door = Admission(ROUTES, trail)
    admitted = await door.admit(asked("ANYBODY"), "127.0.0.1", None)
    assert isinstance(admitted, Admitted)
    assert (admitted.project, admitted.caller.name, admitted.identity_response) == ("research", "", None)
    assert admitted.caller.verbs("research") == frozenset(Verb)
    await door.admit(asked("ANYBODY"), "127.0.0.1", None)
    assert [(event.type, event.peer) for event in trail.events] == [
        ("admitted", {"transport": "dimse", "address": "127.0.0.1", "calling_ae": "ANYBODY", "called_ae": "VEIL"})
    ]
    assert await refusal(door, trail, asked(called="OTHER")) == (CALLED_AE_UNKNOWN, "unknown-called-ae")


async def test_every_condition_must_hold() -> None:
    """All combinations of conditions that stand at the peer, against all combinations of what is true."""
    good: dict[str, Any] = {
        "ae_titles": frozenset({"CT1", "CT1_SC"}),
        "networks": (ip_network("192.168.0.0/24"), ip_network("10.1.2.16/28")),
        "digests": frozenset({"0" * 64, DIGEST}),
        "names": frozenset({"ct-1.example.org"}),
    }
    reasons = {
        "ae_titles": "unknown-calling-ae", "networks": "wrong-address", "digests": "wrong-certificate",
        "names": "wrong-certificate",
    }  # fmt: skip
    for count in range(1, 5):
        for chosen in itertools.combinations(good, count):
            trail = Trail()
            door = Admission(ROUTES, trail, [peer(**{key: good[key] for key in chosen})])
            for calling, address, der in itertools.product(("CT1", "CT2"), ("10.1.2.17", "10.1.2.1"), (DER, FOREIGN)):
                wrong = {
                    "ae_titles": calling == "CT2", "networks": address == "10.1.2.1", "digests": der is FOREIGN,
                    "names": der is FOREIGN,
                }  # fmt: skip
                failed = [reasons[key] for key in chosen if wrong[key]]
                answer = await door.admit(asked(calling), address, der)
                if failed:
                    assert answer == CALLING_AE_UNKNOWN
                    assert trail.events[-1].reason == failed[0]
                else:
                    assert isinstance(answer, Admitted)
                    assert (answer.caller.name, answer.caller.grants) == ("peer:ct-1", STORE)


@pytest.mark.parametrize("condition", ["digests", "names"])
async def test_a_certificate_that_is_not_shown_is_no_certificate(condition: str) -> None:
    trail = Trail()
    door = Admission(ROUTES, trail, [peer(**{condition: frozenset({"x"})})])
    assert await refusal(door, trail, asked()) == (CALLING_AE_UNKNOWN, "no-certificate")
    assert await refusal(door, trail, asked(), der=b"nothing") == (CALLING_AE_UNKNOWN, "wrong-certificate")


async def test_a_name_does_not_stand_for_a_digest() -> None:
    door = Admission(ROUTES, Trail(), [peer(digests=frozenset({DIGEST}), names=frozenset({"ct-1.example.org"}))])
    same_name = leaf("ct-1 again", ("ct-1.example.org",)).certificate.public_bytes(Encoding.DER)
    assert await door.admit(asked(), "10.1.2.17", same_name) == CALLING_AE_UNKNOWN
    assert isinstance(await door.admit(asked(), "10.1.2.17", DER), Admitted)


async def test_the_reason_is_that_of_the_peer_that_came_nearest() -> None:
    trail = Trail()
    near = peer(ae_titles=frozenset({"CT1"}), networks=(ip_network("10.1.2.17/32"),), digests=frozenset({"0" * 64}))
    door = Admission(ROUTES, trail, [near, peer(ae_titles=frozenset({"MR"}))])
    assert (await refusal(door, trail, asked(), der=DER))[1] == "wrong-certificate"
    assert (await refusal(door, trail, asked("XX"), der=DER))[1] == "unknown-calling-ae"


@pytest.mark.parametrize(
    ("address", "inside"),
    [
        ("10.1.2.17", True), ("::ffff:10.1.2.17", True), ("2001:db8::7", True), ("2001:db9::7", False), ("", False),
        ("10.1.2.999", False), ("fe80::1%eth0", True), ("10.1.2.170", False),
    ],
)  # fmt: skip
async def test_addresses(address: str, inside: bool) -> None:
    networks = tuple(ip_network(text) for text in ("10.1.2.17", "2001:db8::/32", "fe80::/10"))
    answer = await Admission(ROUTES, Trail(), [peer(networks=networks)]).admit(asked(), address, None)
    assert isinstance(answer, Admitted) is inside


async def test_a_stranger_cannot_tell_one_called_ae_title_from_another() -> None:
    trail = Trail()
    door = Admission(ROUTES, trail, [peer(ae_titles=frozenset({"CT1"}))])
    answers = [await refusal(door, trail, asked("XX", called)) for called in ("VEIL", "TRIAL", "NOTHING", "VEIL_MOVE")]
    assert set(answers) == {(CALLING_AE_UNKNOWN, "unknown-calling-ae")}
    known = [await refusal(door, trail, asked("CT1", called)) for called in ("TRIAL", "NOTHING", "VEIL_MOVE")]
    assert {answer for answer, _ in known} == {CALLED_AE_UNKNOWN}  # and a known peer not what else there is
    assert [reason for _, reason in known] == ["no-such-project", "unknown-called-ae", "no-such-project"]


async def test_a_machine_may_be_two_peers() -> None:
    both = [
        KnownPeer("a", STORE, ae_titles=frozenset({"CT1"})),
        KnownPeer("b", {"trial": frozenset({Verb.SEARCH})}, ae_titles=frozenset({"CT1"})),
    ]
    door = Admission(ROUTES, Trail(), both)
    for called, name in (("VEIL", "peer:a"), ("TRIAL", "peer:b")):
        admitted = await door.admit(asked(called=called), "10.0.0.1", None)
        assert isinstance(admitted, Admitted)
        assert admitted.caller.name == name


async def test_what_we_asked_for_comes_from_who_was_named_for_it() -> None:
    trail = Trail()
    every = peer(grants={EVERY: frozenset(Verb)}, ae_titles=frozenset({"CT1"}))
    pacs = peer(grants={"upstream:old": frozenset({Verb.STORE})}, ae_titles=frozenset({"PACS"}))
    door = Admission(ROUTES, trail, [every, pacs])
    assert (await refusal(door, trail, asked("CT1", "VEIL_MOVE")))[0] == CALLED_AE_UNKNOWN
    admitted = await door.admit(asked("PACS", "VEIL_MOVE"), "10.0.0.1", None)
    assert isinstance(admitted, Admitted)
    assert admitted.caller.verbs("upstream:old") == {Verb.STORE}
    assert isinstance(await door.admit(asked("CT1", "TRIAL"), "10.0.0.1", None), Admitted)


# -- users

TOKEN = new_token()
GRANTS = {"research": frozenset({Verb.STORE, Verb.SEARCH})}


class Provider:
    """Knows one access token."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error

    def claims(self, token: str) -> bool:
        return token.count(".") == 2 and ":" not in token

    async def caller(self, token: str) -> Caller:
        if self.error is not None:
            raise self.error
        if token != "a.b.c":
            raise Unknown("bad-signature")
        return Caller("oidc:dr-house", {"research": frozenset({Verb.RETRIEVE, Verb.STORE})})


def judging(trail: Trail, *peers: KnownPeer, required: bool = False, error: Exception | None = None) -> Admission:
    stored = StoredToken("ws-1", digest_of(TOKEN), GRANTS), StoredToken("gate", DIGEST, GRANTS, certificate=True)
    callers = [StaticCallers(lambda: stored, trail), Provider(error)]
    return Admission(ROUTES, trail, peers, callers, frozenset({"research"} if required else ()))


def passcode(name: str = "ws-1", code: str = TOKEN, wanted: bool = False) -> UserIdentity:
    return UserIdentity(2, name.encode(), code.encode(), wanted)


@pytest.mark.parametrize("wanted", [True, False])
@pytest.mark.parametrize(
    ("identity", "name", "verbs"),
    [
        (passcode(), "token:ws-1", GRANTS["research"]),
        (UserIdentity(5, b"a.b.c"), "oidc:dr-house", {Verb.RETRIEVE, Verb.STORE}),
    ],
)
async def test_a_user_is_who_a_token_says(identity: UserIdentity, name: str, verbs: Any, wanted: bool) -> None:
    shown = UserIdentity(identity.kind, identity.primary, identity.secondary, wanted)
    for required in (True, False):
        admitted = await judging(Trail(), required=required).admit(asked(identity=shown), "127.0.0.1", None)
        assert isinstance(admitted, Admitted)
        assert (admitted.caller.name, admitted.caller.verbs("research")) == (name, verbs)
        assert admitted.identity_response == (b"" if wanted else None)


async def test_peer_and_user_together_may_what_both_may() -> None:
    trail = Trail()
    machine = peer(ae_titles=frozenset({"CT1"}))
    admitted = await judging(trail, machine).admit(asked(identity=passcode()), "10.0.0.1", None)
    assert isinstance(admitted, Admitted)
    assert (admitted.caller.name, admitted.caller.grants) == ("peer:ct-1 token:ws-1", STORE)
    readers = peer(ae_titles=frozenset({"CT1"}), grants={"research": frozenset({Verb.RETRIEVE})})
    answer = await refusal(judging(trail, readers), trail, asked(identity=passcode()))
    assert answer == (CALLED_AE_UNKNOWN, "no-such-project")  # nothing is left that both may


WRONG = [
    (passcode("ws-2"), "wrong-name"),
    (passcode(code=new_token()), "unknown-token"),
    (passcode(code="veil_short"), "malformed-token"),
    (passcode(code="secret"), "unknown-token"),
    (passcode(code=""), "malformed-token"),
    (passcode("gate", f"certificate:{DIGEST}"), "malformed-token"),  # a certificate is shown to TLS, not typed
    (UserIdentity(5, f"certificate:{DIGEST}".encode()), "malformed-token"),
    (UserIdentity(5, b"x.y.z"), "bad-signature"),
    (UserIdentity(5, b"\xff\xfe"), "malformed-token"),
    (UserIdentity(2, b"ws-1", b"\xff\xfe"), "malformed-token"),
    (UserIdentity(3, b"ticket"), "unsupported-identity"),
    (UserIdentity(4, b"<Assertion>a.b.c</Assertion>"), "unsupported-identity"),
    (UserIdentity(4, b"<Assertion/>"), "unsupported-identity"),
    (UserIdentity(4, TOKEN.encode()), "unsupported-identity"),
    (UserIdentity(9, TOKEN.encode()), "unsupported-identity"),
]


@pytest.mark.parametrize(("identity", "reason"), WRONG)
async def test_an_identity_that_is_no_good_ends_it(identity: UserIdentity, reason: str) -> None:
    for required in (True, False):
        trail = Trail()
        answer = await refusal(judging(trail, required=required), trail, asked(identity=identity))
        assert answer == (NO_REASON_GIVEN, reason)
        said = repr(trail.events)
        for secret in (identity.primary, identity.secondary):
            assert not secret or secret.decode("latin-1") not in said


async def test_a_name_alone_proves_nothing() -> None:
    trail, name = Trail(), UserIdentity(1, b"ws-1", b"", True)
    admitted = await judging(trail).admit(asked(identity=name), "127.0.0.1", None)
    assert isinstance(admitted, Admitted)
    assert (admitted.caller.name, admitted.identity_response) == ("", b"")
    assert await refusal(judging(trail, required=True), trail, asked(identity=name)) == (
        NO_REASON_GIVEN, "unproven-identity",
    )  # fmt: skip


async def test_where_one_is_required_there_is_none_without() -> None:
    trail = Trail()
    door = judging(trail, required=True)
    assert await refusal(door, trail, asked()) == (NO_REASON_GIVEN, "no-identity")
    assert isinstance(await door.admit(asked(called="TRIAL"), "127.0.0.1", None), Admitted)


async def test_where_nobody_is_asked_an_identity_is_passed_over() -> None:
    for kind in range(1, 6):
        admitted = await Admission(ROUTES, Trail()).admit(
            asked(identity=UserIdentity(kind, b"x", b"y", True)), "127.0.0.1", None
        )
        assert isinstance(admitted, Admitted)
        assert admitted.identity_response is None


async def test_a_peer_comes_first() -> None:
    """A stranger's tokens are not even looked at."""
    trail = Trail()
    door = judging(trail, peer(ae_titles=frozenset({"MR"})), error=AssertionError("judged"))
    identity = UserIdentity(5, b"a.b.c")
    assert (await refusal(door, trail, asked(identity=identity)))[0] == CALLING_AE_UNKNOWN


async def test_who_cannot_be_judged_is_neither_in_nor_out() -> None:
    trail = Trail()
    door = judging(trail, error=CannotJudge("no keys"))
    with pytest.raises(CannotJudge):
        await door.admit(asked(identity=UserIdentity(5, b"a.b.c")), "127.0.0.1", None)
    assert trail.events == []


async def test_no_record_no_answer() -> None:
    trail = Trail()
    trail.broken = True
    with pytest.raises(AuditUnavailable):
        await Admission(ROUTES, trail).admit(asked(called="X"), "127.0.0.1", None)


async def test_a_flood_does_not_fill_the_trail_and_stops_nobody_else() -> None:
    trail = Trail()
    door = Admission(ROUTES, trail, [peer(ae_titles=frozenset({"CT1"}))])
    answers = [await door.admit(asked("XX"), "10.0.0.9", None) for _ in range(300)]
    assert set(map(str, answers)) == {str(CALLING_AE_UNKNOWN), str(LOCAL_LIMIT)}
    assert 100 <= len(trail.events) < 120
    assert isinstance(await door.admit(asked("CT1"), "10.0.0.9", None), Admitted)


async def test_what_is_no_ae_title_is_not_recorded() -> None:
    trail = Trail()
    await Admission(ROUTES, trail).admit(asked("M\u00fcller\n", "X" * 17), "127.0.0.1", None)
    assert trail.events[0].peer["calling_ae"] == trail.events[0].peer["called_ae"] == "?"


# -- names of certificates


def test_names_of_a_certificate() -> None:
    assert names_of(DER) == {"ct-1.example.org", "10.1.2.17"}
    assert names_of(b"") == names_of(b"nothing") == frozenset()


def _signed(subject: x509.Name, *names: x509.GeneralName) -> bytes:
    now = datetime.datetime.now(datetime.UTC)
    key = root(0).key
    builder = x509.CertificateBuilder(subject, subject, key.public_key(), 7, now, now + datetime.timedelta(days=1))
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(list(names)), critical=False)
    return builder.sign(key, SHA256()).public_bytes(Encoding.DER)


def test_a_common_name_counts_where_there_is_no_other() -> None:
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "CT1 Room 3")])
    assert names_of(_signed(subject)) == {"ct1 room 3"}
    assert names_of(_signed(subject, x509.UniformResourceIdentifier("urn:oid:1.2.3"))) == {"urn:oid:1.2.3"}
    assert names_of(_signed(subject, x509.RegisteredID(x509.ObjectIdentifier("1.2.3")))) == frozenset()
    assert names_of(_signed(x509.Name([]), x509.DNSName("*.example.org"))) == {"*.example.org"}
