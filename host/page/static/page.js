// What a page does by itself where scripts run. Without them everything works by its links and buttons.
"use strict";

document.documentElement.classList.add("js");

// A phone's own clock and zone, in the page's language.
const localForms = {
  moment: { dateStyle: "long", timeStyle: "short" },
  day: { dateStyle: "long" },
};

function localise(root) {
  const lang = document.documentElement.lang;
  const reader = navigator.languages.find((one) => one.split("-")[0] === lang) ?? lang;
  for (const time of root.querySelectorAll("time[data-local]")) {
    const at = new Date(time.dateTime);
    if (!Number.isNaN(at.getTime())) {
      time.textContent = at.toLocaleString(reader, localForms[time.dataset.local]);
    }
  }
}

const wait = (seconds) => new Promise((done) => setTimeout(done, seconds * 1000));

// One request is asked again a few times while its answer is "not known": the server finds a request that it has answered already.
const repeats = 5;

async function ask(form) {
  for (let tries = 0; ; tries++) {
    let answer = null;
    try {
      answer = await fetch(location.href, {
        method: "POST",
        body: new URLSearchParams(new FormData(form)),
        headers: { Accept: "text/html" },
        redirect: "error",
      });
    } catch {
      // The network is away: the same request again in a moment.
    }
    const known = answer !== null && answer.status !== 503;
    if (known || tries === repeats) {
      return answer;
    }
    const after = Number(answer?.headers.get("Retry-After"));
    await wait(Math.min(Math.max(after || 2 ** tries, 1), 15));
  }
}

// The answer takes the page's place. It is false where there is none to be shown.
async function showAnswer(answer) {
  if (answer === null) {
    return false;
  }
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const main = page.getElementById("main");
  if (main === null) {
    return false;
  }
  document.title = page.title;
  document.getElementById("main").replaceWith(document.adoptNode(main));
  localise(main);
  const heading = main.querySelector("h1");
  if (heading !== null) {
    heading.tabIndex = -1;
    heading.focus({ preventScroll: true });
  }
  const goOn = main.querySelector("a[data-go-on]");
  if (goOn !== null) {
    location.assign(goOn.href);
  }
  return answer.ok;
}

const atOnce = () => document.querySelector("form[data-at-once]");

// What the page wants asked is asked; and what its answer wants asked, where the first could only look. When all that came to
// nothing, the page shows what readers without scripts see, with a button: from then on they decide.
async function askAtOnce() {
  if (document.prerendering) {
    await new Promise((done) => document.addEventListener("prerenderingchange", done, { once: true }));
  }
  for (let round = 0; round < 2 && atOnce() !== null; round++) {
    if (!(await showAnswer(await ask(atOnce())))) {
      break;
    }
  }
  if (atOnce() !== null) {
    document.documentElement.classList.remove("js");
  }
}

// A second press while the first is on its way would only be answered alike.
document.addEventListener("submit", (event) => {
  if (event.defaultPrevented) {
    return;
  }
  setTimeout(() => {
    for (const button of event.target.querySelectorAll("button")) {
      button.disabled = true;
    }
  });
});

// A page that comes back out of the browser's memory has its buttons back.
addEventListener("pageshow", () => {
  for (const button of document.querySelectorAll("button[disabled]")) {
    button.disabled = false;
  }
});

document.addEventListener("DOMContentLoaded", () => {
  localise(document);
  askAtOnce();
});
