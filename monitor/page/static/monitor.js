/** Draws the page's charts, and keeps all of it up to date without a reload. */

import { draw, forget } from "./charts.js";
import { morph } from "./morph.js";
import { localise, toUtc, watch } from "./times.js";

const EVERY = 5_000; // milliseconds from one look to the next
const SHOWN_FOR = 1_500; // milliseconds of "copied"
const AT_MOST = 20_000; // that an answer may take

const notice = /** @type {HTMLElement} */ (document.getElementById("notice"));
const dark = matchMedia("(prefers-color-scheme: dark)");
let looking = false;

/** @returns {import("./charts.js").Panel[]} what the server has put into the page */
function panels() {
  const data = document.getElementById("data");
  return data ? JSON.parse(data.textContent ?? "").panels : [];
}

function drawAll() {
  forget();
  for (const panel of panels()) {
    const canvas = document.getElementById(`chart-${panel.id}`);
    if (canvas instanceof HTMLCanvasElement) draw(canvas, panel);
  }
}

/** @returns {Promise<Document>} this page as it is now */
async function read() {
  const options = { headers: { Accept: "text/html" }, cache: "no-store", signal: AbortSignal.timeout(AT_MOST) };
  const response = await fetch(location.href, options).catch(() => {
    throw new Error("The monitor does not answer");
  });
  if (response.status === 503) throw new Error("The monitor cannot read the store");
  if (!response.ok) throw new Error(`The monitor answers with an error (${response.status})`);
  return new DOMParser().parseFromString(await response.text(), "text/html");
}

async function look() {
  if (looking || document.hidden) return;
  looking = true;
  try {
    const next = await read();
    localise(part(next));
    morph(part(document), part(next));
    document.title = next.title;
    drawAll();
    tell("");
  } catch (error) {
    tell(`${error.message}. ${shownUntilNow()}It is asked again every ${EVERY / 1000} seconds.`);
  } finally {
    looking = false;
  }
}

/** @param {Document} whole @returns {HTMLElement} all of it that changes */
function part(whole) {
  return /** @type {HTMLElement} */ (whole.getElementById("page"));
}

function shownUntilNow() {
  const updated = document.getElementById("updated");
  return updated ? `This page shows what it read at ${updated.textContent}. ` : "";
}

/** @param {string} text said to whoever looks or listens, once */
function tell(text) {
  if (notice.textContent !== text) notice.textContent = text;
}

// A time that nobody has chosen goes on with the clock. The server reads times as UTC.
document.addEventListener("formdata", ({ formData }) => {
  for (const name of ["since", "until"]) {
    const value = formData.get(name);
    if (value) formData.set(name, toUtc(String(value)));
    else formData.delete(name);
  }
});

// One box ticks all boxes of its form that have the name.
document.addEventListener("change", ({ target }) => {
  const { form, checked, dataset } = /** @type {HTMLInputElement} */ (target);
  for (const box of form?.querySelectorAll(`[name="${dataset.selects}"]`) ?? []) box.checked = checked;
});

// A button copies its text, and says so for a moment.
document.addEventListener("click", async ({ target }) => {
  const button = /** @type {Element} */ (target).closest?.("[data-copy]");
  if (!(button instanceof HTMLButtonElement)) return;
  const words = (await copied(button.dataset.copy ?? "")) ? "copied" : "not copied";
  button.textContent = words;
  setTimeout(() => { if (button.textContent === words) button.textContent = "copy"; }, SHOWN_FOR);
});

/** @param {string} text @returns {Promise<boolean>} whether the clipboard has it */
async function copied(text) {
  // Browsers give the clipboard itself only to https:// and to this machine.
  if (navigator.clipboard) return navigator.clipboard.writeText(text).then(() => true, () => false);
  const field = Object.assign(document.createElement("textarea"), { value: text });
  document.body.append(field);
  field.select();
  const done = document.execCommand("copy");
  field.remove();
  return done;
}

document.querySelector(".tabs [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });
localise(part(document));
watch(part(document));
drawAll();
document.documentElement.dataset.ready = "true";
dark.addEventListener("change", drawAll);
if (document.body.dataset.live === "true") {
  setInterval(look, EVERY);
  document.addEventListener("visibilitychange", look);
}
