// Passkeys, which browsers have no other way to, and what a press of a button can spare. Everything else works without scripts.
"use strict";

const toBytes = (text) => Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (c) => c.charCodeAt(0));
const toText = (bytes) => btoa(String.fromCharCode(...new Uint8Array(bytes))).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
const withBytes = (list) => (list ?? []).map((one) => ({ ...one, id: toBytes(one.id) }));

// What follows "??" is for browsers that do not read and write the JSON form themselves (WebAuthn Level 3, 5.1.8 to 5.1.10).
const creation = (o) => PublicKeyCredential.parseCreationOptionsFromJSON?.(o) ??
  { ...o, challenge: toBytes(o.challenge), user: { ...o.user, id: toBytes(o.user.id) }, excludeCredentials: withBytes(o.excludeCredentials) };
const request = (o) => PublicKeyCredential.parseRequestOptionsFromJSON?.(o) ??
  { ...o, challenge: toBytes(o.challenge), allowCredentials: withBytes(o.allowCredentials) };

function toJSON(credential) {
  const response = {};
  for (const name of ["clientDataJSON", "attestationObject", "authenticatorData", "signature", "userHandle"]) {
    if (credential.response[name]) {
      response[name] = toText(credential.response[name]);
    }
  }
  const transports = credential.response.getTransports?.();
  return {
    id: credential.id, rawId: toText(credential.rawId), type: credential.type, clientExtensionResults: credential.getClientExtensionResults(),
    response: transports ? { ...response, transports } : response,
  };
}

// A form with data-passkey is sent when the authenticator has answered, with the answer in it.
async function ceremony(form) {
  const begun = await fetch(form.dataset.begin, { method: "POST", body: new URLSearchParams(new FormData(form)) });
  const { ceremony, options, problem, to } = await begun.json();
  if (to) {
    location.assign(to);
  }
  if (problem) {
    return problem;
  }
  const credential = form.dataset.passkey === "create"
    ? await navigator.credentials.create({ publicKey: creation(options.publicKey) })
    : await navigator.credentials.get({ publicKey: request(options.publicKey) });
  form.elements.ceremony.value = ceremony;
  form.elements.response.value = JSON.stringify(credential.toJSON?.() ?? toJSON(credential));
  form.submit();
  return "";
}

async function ask(event) {
  const form = event.currentTarget;
  event.preventDefault();
  const said = form.querySelector("[data-problem]");
  const button = form.querySelector("button");
  said.hidden = button.disabled = true;
  let problem = form.dataset.unable;
  if (window.PublicKeyCredential) {
    problem = await ceremony(form).catch((e) => (["NotAllowedError", "AbortError"].includes(e.name) ? form.dataset.cancelled
      : e.name === "InvalidStateError" ? form.dataset.known : form.dataset.failed));
  }
  if (problem) {
    said.lastElementChild.textContent = problem;
    said.hidden = button.disabled = false;
  }
}

for (const form of document.querySelectorAll("form[data-passkey]")) {
  form.addEventListener("submit", ask);
}

// The token of an invitation stands behind # in its link, where servers and logs do not see it.
const token = document.querySelector("input[data-fragment]");
if (token && location.hash.length > 1) {
  token.value = decodeURIComponent(location.hash.slice(1));
  history.replaceState(null, "", location.pathname);
}

for (const button of document.querySelectorAll("button[data-copy]")) {
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).innerText);
    button.textContent = button.dataset.done;
  });
}

// On a narrow screen the menu is a row: the page's own entry is to be seen.
document.querySelector(".office-menu [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });
