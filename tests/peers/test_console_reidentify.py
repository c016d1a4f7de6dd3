"""Two officers in Chromium read who a patient was. Keys, passphrases and the value stay in the browser.

What the browser makes of keys, shares and statements is held against the Python side, byte for byte.
"""

from __future__ import annotations

import io
import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key
from pydicom import dcmread

from proxy.service.reidentify_words import request_id
from proxy.store.crosswalk import Key, bound
from proxy.store.identities import plain_of, seal
from proxy.store.officers import key_id, opened, sign
from tests.peers.browser import Browser
from tests.peers.console_walk import console_site, look, sign_in, visit
from tests.security_officers import person
from tests.system.harness import Site
from tests.system.planting import fresh
from tests.system.stow import stow

pytestmark = [pytest.mark.peer, pytest.mark.timeout(240), pytest.mark.filterwarnings("ignore::UserWarning")]
PASSPHRASE = "anna's own pässphrase"
PEOPLE = dict.fromkeys(("anna", "ben"), "research:officer") | {"otto": "research:operator"}


class Walk:
    def __init__(self, site: Site, web: Browser, folder: Path) -> None:
        self.site, self.web, self.page, self.folder = site, web, web.page, folder
        self.sent: list[str] = []
        web.page.on("request", lambda request: self.sent.append(f"{request.url}\n{request.post_data or ''}"))
        instance = fresh()
        self.original = str(dcmread(io.BytesIO(instance.part10)).PatientID)
        site.start()
        stow(site.http_port, instance.part10)
        site.drain()
        (filed,) = site.archived().values()
        self.pseudonym = filed.relative_to(site.data / "archive" / "research").parts[0]

    def go(self, name: str, path: str) -> None:
        sign_in(self.site, self.web, name)
        self.page.get_by_role("heading", name="Overview").wait_for()
        visit(self.site, self.web, f"/reidentify{path}")

    def sign(self, name: str, button: str, passphrase: str = "") -> None:
        self.page.get_by_label("Your private key").set_input_files(self.folder / f"{name}.key")
        self.page.get_by_label("Its passphrase").fill(passphrase)
        self.page.get_by_role("button", name=button).click()

    def ask(self, ticket: str) -> str:
        """As anna, who is signed in and on the page; what the request is called."""
        self.page.get_by_label("Pseudonymous Patient ID").fill(self.pseudonym)
        self.page.get_by_label("Purpose").select_option("safety")
        self.page.get_by_label("Ticket").fill(ticket)
        self.sign("anna", "Sign and ask", PASSPHRASE)
        self.page.get_by_role("heading", name="waits for an approval").wait_for()
        return self.page.url.rpartition("/")[2]

    def records(self) -> list[dict[str, Any]]:
        lines = (self.site.data / "audit" / "audit-000001.jsonl").read_text().splitlines()
        return [record for record in map(json.loads, lines) if record["type"].startswith("reidentification")]

    def told(self) -> list[tuple[str, str, str]]:
        return [(e["type"].partition("-")[2], e["reason"], e["behalf"].get("caller", "")) for e in self.records()]


@pytest.fixture(scope="module")
def walk(program: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Walk]:
    folder = tmp_path_factory.mktemp("officers")
    for name, passphrase in (("anna", PASSPHRASE), ("ben", "")):
        (folder / f"{name}.pem").write_text(person(name).certificate)
        (folder / f"{name}.key").write_bytes(person(name).key_file(passphrase))
    drawer = {"officers": {name: str(folder / f"{name}.pem") for name in ("anna", "ben")}}
    config = {"projects.research.identity_drawer": drawer}
    with console_site(tmp_path_factory.mktemp("console"), program("chromium"), PEOPLE, **config) as (site, web):
        made = Walk(site, web, folder)
        site.secrets.update({made.original, PASSPHRASE})
        yield made
        assert site.stop() == 0
        assert site.exposed() == []
        sent = "\n".join(made.sent)
        number = person("anna").private.private_numbers().private_value
        secrets = (made.original, PASSPHRASE, "PRIVATE KEY", f"{number:x}")
        assert [secret for secret in secrets if secret in sent] == []
        assert {url.split("/")[2] for url in web.asked} == {f"127.0.0.1:{site.http_port}"}


def test_anna_asks_ben_approves_anna_reads_it_once(walk: Walk) -> None:
    page = walk.page
    walk.go("anna", "")
    assert page.get_by_role("link", name="Re-identification").get_attribute("aria-current") == "page"
    look(walk.web, "reidentify-new")
    request = walk.ask("INC-17")
    assert "Nobody approves a request of his own" in page.inner_text("main")

    walk.go("ben", f"/{request}")
    look(walk.web, "reidentify-approve")
    page.get_by_label("The certificate of anna").set_input_files(walk.folder / "ben.pem")
    walk.sign("ben", "Sign and approve")
    page.get_by_text("not signed with the key of that certificate").wait_for()
    page.get_by_label("The certificate of anna").set_input_files(walk.folder / "anna.pem")
    walk.sign("ben", "Sign and approve")
    page.get_by_role("heading", name="approved, not read yet").wait_for()
    assert "anna can read it now" in page.inner_text("main")

    walk.go("anna", "")
    look(walk.web, "reidentify")
    page.clock.install()
    page.get_by_role("link", name=request[:8]).click()
    walk.sign("anna", "Sign and show it", "not the passphrase")
    page.get_by_text("The passphrase is wrong").wait_for()
    look(walk.web, "reidentify-reveal")
    assert walk.original not in page.content()
    walk.sign("anna", "Sign and show it", PASSPHRASE)
    page.get_by_role("heading", name="The patient").wait_for()
    assert page.locator("[data-field=patient]").inner_text() == walk.original
    assert page.locator(":focus").inner_text() == "The patient"
    assert walk.told()[-1] == ("revealed", "", "officer:anna")
    page.clock.fast_forward(121_000)
    page.get_by_text("It is hidden again").wait_for()
    assert walk.original not in page.content()
    page.reload()
    page.get_by_role("heading", name="read").wait_for()
    assert "There is nothing left to do" in page.inner_text("main")
    assert [each["type"].partition("-")[2] for each in walk.records()] == ["asked", "approved", "revealed"]
    assert [each["behalf"]["caller"] for each in walk.records()] == ["officer:anna", "officer:ben", "officer:anna"]
    assert [each["peer"]["caller"] for each in walk.records()] == ["user:anna", "user:ben", "user:anna"]
    assert walk.web.failed == []


_SAY = """async ([name, file, passphrase, step, members]) => {
  const { privateKey } = await import("/console/officer_key.js");
  const { sign } = await import("/console/officer.js");
  const { canonical } = await import("/console/officer_bytes.js");
  const key = await privateKey(file, passphrase);
  const at = Math.floor(Date.now() / 1000);
  const statement = canonical({ action: step, project: "research", by: name, at, ...members });
  const token = document.querySelector("input[name=token]").value;
  const body = new URLSearchParams({ token, statement, signature: await sign(key, statement) });
  const answer = await fetch(`/console/reidentify/${step}`, { method: "POST", body });
  return [answer.status, await answer.json()];
}"""


def test_nobody_approves_his_own_whatever_the_page_shows(walk: Walk) -> None:
    walk.go("anna", "")
    request = walk.ask("INC-18")
    file = (walk.folder / "anna.key").read_text()
    members = {"request": request, "entry": "0" * 64, "share": [1, "00"]}
    said = ["anna", file, PASSPHRASE, "approve", members]
    assert walk.page.evaluate(_SAY, said) == [403, {"reason": "self-approval"}]
    assert walk.told()[-1] == ("refused", "self-approval", "officer:anna")
    ben = ["ben", (walk.folder / "ben.key").read_text(), "", "approve", members]
    assert walk.page.evaluate(_SAY, ben) == [403, {"reason": "another-account"}]
    assert walk.told()[-1] == ("refused", "another-account", "officer:ben")
    walk.web.failed.clear()  # Chromium says that there were 403s


def test_who_leaves_the_page_leaves_nothing_in_it(walk: Walk) -> None:
    walk.go("anna", "")
    request = walk.ask("INC-19")
    walk.go("ben", f"/{request}")
    walk.page.get_by_label("The certificate of anna").set_input_files(walk.folder / "anna.pem")
    walk.sign("ben", "Sign and approve")
    walk.page.get_by_role("heading", name="approved, not read yet").wait_for()
    walk.go("anna", f"/{request}")
    walk.sign("anna", "Sign and show it", PASSPHRASE)
    walk.page.get_by_role("heading", name="The patient").wait_for()
    visit(walk.site, walk.web)
    walk.page.go_back()
    walk.page.get_by_role("heading", name="Request").wait_for()
    assert walk.original not in walk.page.content()
    walk.web.failed.clear()


@pytest.mark.parametrize("scripts", [False, True])
def test_a_browser_that_cannot_sign_is_told_so(walk: Walk, scripts: bool) -> None:
    """Without scripts, or where WebCrypto is not to be had because the page came over plain HTTP from elsewhere."""
    assert walk.page.context.browser is not None
    context = walk.page.context.browser.new_context(java_script_enabled=scripts)
    context.add_init_script("Object.defineProperty(window, 'isSecureContext', { value: false })")
    other = Browser(context.new_page())
    sign_in(walk.site, other, "anna")
    visit(walk.site, other, "/reidentify")
    other.page.get_by_text("This browser cannot sign here").wait_for()
    assert other.page.get_by_text("veil reidentify request").is_visible()
    assert not other.page.get_by_role("button", name="Sign and ask").is_visible()
    context.close()


def test_an_operator_has_no_business_here(walk: Walk) -> None:
    sign_in(walk.site, walk.web, "otto")
    walk.page.get_by_role("heading", name="Overview").wait_for()
    assert walk.page.get_by_role("link", name="Re-identification").count() == 0
    visit(walk.site, walk.web, "/reidentify")
    assert "Your role does not allow this" in walk.page.inner_text("main")
    walk.web.failed.clear()


_TRY = """async (given) => {
  const bytes = await import("/console/officer_bytes.js");
  const { certificate, privateKey } = await import("/console/officer_key.js");
  const officer = await import("/console/officer.js");
  const keys = [];
  for (const [file, passphrase] of given.keys) {
    const key = await privateKey(file, passphrase);
    keys.push({ key, id: key.id, signature: await officer.sign(key, given.statement) });
  }
  const who = await certificate(given.certificate);
  const row = officer.rowOf(given.project, given.epoch, given.pseudonym);
  const share = await officer.shareOf(given.entry, keys[0].key, row);
  const refused = [];
  for (const [file, passphrase] of given.bad) {
    refused.push(await privateKey(file, passphrase).then(() => "taken", (error) => error.message));
  }
  return {
    keys: keys.map(({ id, signature }) => [id, signature]), refused, who: who.id, row: bytes.hex(row),
    canonical: bytes.canonical(given.odd), digest: await officer.digestOf(given.entry),
    name: await officer.requestId(given.statement),
    signed: await Promise.all(given.signatures.map((each) => officer.signed(who, given.statement, each))),
    forged: await officer.signed(who, given.statement + " ", given.signatures[0]),
    sealed: bytes.hex(await officer.seal(who, bytes.unhex("00ff10"), row)),
    value: await officer.valueOf(given.entry, row, share, [given.other[0], bytes.unhex(given.other[1])]),
    exported: await crypto.subtle.exportKey("pkcs8", keys[0].key.sign).then(() => "taken", (error) => error.name),
  };
}"""


def test_the_browser_and_python_understand_each_other(walk: Walk, tmp_path: Path) -> None:
    anna, ben = person("anna"), person("ben")
    row = Key("research", 3, "patient", "P1")
    entry = seal(row, ("Höspital", "ZQ^1 'x'"), (anna.officer, ben.officer))
    x, sealed = entry.shares[ben.officer.key_id]
    odd = {"z": [1, -2, []], "a": 'ä😀\x7f"\\\n\x01/\u2028', "m": {"y": None, "b": True}}
    made = tmp_path / "openssl.key"
    openssl = ["openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-aes-256-cbc"]
    subprocess.run([*openssl, "-pass", f"pass:{PASSPHRASE}", "-out", made], check=True, capture_output=True)
    statement = json.dumps({"ä": "\ud83d\ude00"})
    given = {
        "keys": [
            [anna.key_file(PASSPHRASE).decode(), PASSPHRASE], [anna.key_file().decode(), ""],
            [made.read_text(), PASSPHRASE],
        ],
        "bad": [
            [anna.key_file(PASSPHRASE).decode(), "x"], [anna.certificate, ""],
            [other_curve().decode(), ""],
        ],
        "statement": statement, "signatures": [sign(anna.private, statement) for _ in range(40)],
        "certificate": anna.certificate, "project": "research", "epoch": 3, "pseudonym": "P1",
        "entry": plain_of(entry), "odd": odd,
        "other": [x, opened(ben.private, bytes.fromhex(sealed), bound(row)).hex()],
    }  # fmt: skip
    walk.go("anna", "")
    found = walk.page.evaluate(_TRY, given)
    private = load_pem_private_key(made.read_bytes(), PASSPHRASE.encode())
    assert isinstance(private, ec.EllipticCurvePrivateKey)
    assert [each[0] for each in found["keys"]] == [anna.officer.key_id] * 2 + [key_id(private.public_key())]
    assert all(anna.officer.signed(statement, signature) for _, signature in found["keys"][:2])
    assert (found["who"], found["row"]) == (anna.officer.key_id, bound(row).hex())
    assert found["canonical"] == json.dumps(odd, sort_keys=True, separators=(",", ":"))
    assert (found["digest"], found["name"]) == (entry.digest, request_id(statement))
    assert (found["signed"], found["forged"]) == ([True] * 40, False)
    assert opened(anna.private, bytes.fromhex(found["sealed"]), bound(row)) == b"\x00\xff\x10"
    assert found["value"] == ["Höspital", "ZQ^1 'x'"]
    assert found["exported"] == "InvalidAccessError"
    assert found["refused"][0] == "The passphrase is wrong."
    assert "no private key" in found["refused"][1]
    assert "P-256" in found["refused"][2]


def other_curve() -> bytes:
    return ec.generate_private_key(ec.SECP384R1()).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
