/** Shows times in the reader's time zone, with UTC on hover, and what the timeline says under the pointer. */

const PARTS = { year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit", second: "2-digit" };
const TICKS = { time: { hour: "2-digit", minute: "2-digit", hourCycle: "h23" }, day: { month: "short", day: "2-digit" } };
const IN_UTC = " UTC";

/** @param {Date} date @returns {string} such as 2026-11-28 10:15:00, in the reader's time zone */
export function local(date) {
  const format = new Intl.DateTimeFormat("en", { ...PARTS, hourCycle: "h23" });
  const { year, month, day, hour, minute, second } = Object.fromEntries(
    format.formatToParts(date).map((part) => [part.type, part.value]),
  );
  return `${year}-${month}-${day} ${hour}:${minute}:${second}`;
}

/** @param {HTMLElement} whole a page from the server, whose times are in UTC */
export function localise(whole) {
  for (const time of whole.querySelectorAll("time[datetime]")) {
    const date = new Date(time.dateTime);
    if (Number.isNaN(date.getTime())) continue;
    const utc = (time.textContent ?? "").trim();
    time.title = utc.endsWith(IN_UTC) ? utc : utc + IN_UTC;
    // The clock alone, or the day with it, as the server has written it.
    time.textContent = /^\d{4}-/.test(utc) ? local(date) : local(date).slice(11);
  }
  for (const text of whole.querySelectorAll("text[data-at]")) {
    const date = new Date(text.dataset.at);
    // Buckets of days are days in UTC.
    const zone = text.dataset.shown === "day" ? { timeZone: "UTC" } : {};
    text.textContent = date.toLocaleString("en", { ...TICKS[text.dataset.shown], ...zone });
  }
  for (const field of whole.querySelectorAll('[type="datetime-local"][value]:not([value=""])')) {
    const value = local(new Date(`${field.getAttribute("value")}Z`)).slice(0, 16).replace(" ", "T");
    field.setAttribute("value", value);
  }
  const zone = whole.querySelector("#zone");
  const its = Intl.DateTimeFormat().resolvedOptions().timeZone;
  if (zone && its !== "UTC") zone.textContent = `your time zone, ${its}; hover over one to see UTC`;
}

/** @param {string} value of a field, in the reader's time zone @returns {string} the same in UTC */
export function toUtc(value) {
  const date = new Date(value);
  return Number.isNaN(date.getTime()) ? value : date.toISOString().slice(0, 16);
}

/** @param {HTMLElement} whole Says in the line above the timeline what is under the pointer. */
export function watch(whole) {
  whole.addEventListener("pointerover", ({ target }) => {
    const [reading, hovered] = ["reading", "hovered"].map((id) => document.getElementById(id));
    if (!reading || !hovered) return;
    const bucket = /** @type {Element} */ (target).closest(".timeline .hover");
    if (bucket instanceof SVGElement) {
      const [from, to] = [bucket.dataset.from, bucket.dataset.to].map((at) => local(new Date(at)));
      const words = bucket.textContent?.split(`${IN_UTC}: `)[1];
      hovered.textContent = `${from} to ${from.slice(0, 10) === to.slice(0, 10) ? to.slice(11) : to}: ${words}`;
    }
    hovered.hidden = !bucket;
    reading.hidden = Boolean(bucket);
  });
}
