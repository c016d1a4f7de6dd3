/**
 * The pages of re-identification: signs and opens on the officer's own machine. What goes to Veil is a statement and
 * its signature; key, passphrase and value stay in this page, and the value not for long.
 */

import { canonical, hex, unhex } from "./officer_bytes.js";
import { certificate, encrypted, privateKey } from "./officer_key.js";
import { digestOf, opened, requestId, rowOf, sealedFor, seal, shareOf, sign, signed, valueOf } from "./officer.js";

const SHOWN_SECONDS = 120;
const WORDS = {
  "another-account": "Only the officer whose account this is may sign here.",
  "bad-signature": "This is not the key that Veil knows you by.",
  "bulk": "One request is for one patient.",
  "entry-changed": "What is kept of this patient has changed since. It takes a new request.",
  "expired": "The time of this request is over.",
  "malformed": "Veil does not understand the request. Look at patient, ticket and hours.",
  "no-share": "What is kept of this patient was not written for your key.",
  "no-such-patient": "Nothing is kept under this pseudonymous Patient ID.",
  "no-such-request": "There is no such request.",
  "not-approved": "Nobody has approved this request yet.",
  "not-the-requester": "Another officer has asked this.",
  "not-waiting": "This request does not wait for an approval any more.",
  "replayed": "This was sent before.",
  "self-approval": "Nobody approves a request of his own.",
  "spent": "This was shown already, and is shown once.",
  "stale": "The clock of this machine is wrong by more than five minutes.",
  "too-long": "It may not be good for so many hours.",
  "too-many": "You have asked as often as you may in 24 hours.",
  "too-often": "Too many attempts. Wait a minute.",
  "unknown-officer": "You are no officer of this project.",
};

const page = document.querySelector("[data-officer]");
const { officer, at } = page.dataset;
const asked = page.dataset.asked ? JSON.parse(page.dataset.asked) : null;
const find = (form, name) => form.querySelector(`[data-field=${name}]`);
const typed = (form, name) => find(form, name).value.trim();
const text = async (form, name) => find(form, name).files[0].text();

async function send(step, key, project, members) {
  const now = Math.floor(Date.now() / 1000);
  const statement = canonical({ action: step, project, by: officer, at: now, ...members });
  const token = document.querySelector("input[name=token]").value;
  const body = new URLSearchParams({ token, statement, signature: await sign(key, statement) });
  const answer = await fetch(`${at}/reidentify/${step}`, { method: "POST", body, redirect: "error" });
  const json = answer.headers.get("Content-Type")?.startsWith("application/json");
  const told = json ? await answer.json() : { reason: `status ${answer.status}` };
  if (!answer.ok) throw new Error(WORDS[told.reason] ?? `Not done: ${told.reason}. Sign in again, or try later.`);
  return told;
}

async function request(form, key) {
  const why = { purpose: typed(form, "purpose"), ticket: typed(form, "ticket"), hours: Number(typed(form, "hours")) };
  const nonce = hex(crypto.getRandomValues(new Uint8Array(16)));
  const members = { ...why, pseudonyms: [typed(form, "pseudonym")], nonce };
  location.assign(`${at}/reidentify/${await send("request", key, typed(form, "project"), members)}`);
}

async function approve(form, key) {
  const said = JSON.parse(asked.statement);
  const to = await certificate(await text(form, "requester"));
  const same = asked.request === (await requestId(asked.statement));
  if (!same || !(await signed(to, asked.statement, asked.signature))) {
    throw new Error("This request was not signed with the key of that certificate. Do not approve it.");
  }
  const [x, share] = await shareOf(asked.entry, key, rowOf(said.project, asked.entry.key_epoch, said.pseudonyms[0]));
  const anew = hex(await seal(to, share, sealedFor(asked.request, to.id)));
  const entry = await digestOf(asked.entry);
  await send("approve", key, said.project, { request: asked.request, entry, share: [x, anew] });
  location.reload();
}

async function reveal(form, key) {
  const said = JSON.parse(asked.statement);
  const told = await send("reveal", key, said.project, { request: asked.request });
  form.remove();
  const row = rowOf(said.project, told.entry.key_epoch, said.pseudonyms[0]);
  const mine = await shareOf(told.entry, key, row);
  const other = await opened(key, unhex(told.share[1]), sealedFor(asked.request, key.id));
  show(await valueOf(told.entry, row, mine, [told.share[0], other]));
}

function show([issuer, patientId]) {
  const place = document.querySelector("[data-value]");
  const put = (name, value) => (find(place, name).textContent = value.replace(/[^\p{L}\p{M}\p{N}\p{P}\p{S} ]/gu, "·"));
  const until = Date.now() + SHOWN_SECONDS * 1000;
  const hide = () => {
    clearInterval(ticking);
    place.remove();
    say(document.querySelector("[data-after]"), "It is hidden again. It was shown once.");
  };
  const tick = () => {
    const left = Math.ceil((until - Date.now()) / 1000);
    find(place, "left").textContent = String(Math.max(left, 0));
    if (left <= 0) hide();
  };
  put("patient", patientId);
  put("issuer", issuer || "–");
  place.hidden = false;
  const ticking = setInterval(tick, 500);
  tick();
  find(place, "hide").addEventListener("click", hide);
  addEventListener("pagehide", hide);
  place.querySelector("h2").focus();
}

function say(place, words) {
  place.textContent = words;
}

async function carryOut(form, step) {
  const [problem, busy] = [find(form, "problem"), form.querySelector("button")];
  say(problem, "");
  busy.disabled = true;
  try {
    await step(form, await privateKey(await text(form, "key"), find(form, "passphrase").value));
  } catch (error) {
    say(form.isConnected ? problem : document.querySelector("[data-after]"), error.message);
  } finally {
    find(form, "passphrase").value = "";
    busy.disabled = false;
  }
}

function prepare(form) {
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    carryOut(form, { request, approve, reveal }[form.dataset.step]);
  });
  find(form, "key").addEventListener("change", async (event) => {
    const [file] = event.target.files;
    find(form, "passphrase").required = file !== undefined && encrypted(await file.text());
  });
  form.hidden = false;
}

if (window.isSecureContext && window.crypto?.subtle !== undefined) {
  document.querySelectorAll("[data-without]").forEach((notice) => notice.remove());
  document.querySelectorAll("form[data-step]").forEach(prepare);
}
