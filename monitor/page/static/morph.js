/**
 * Makes one piece of the page equal to another, touching only what differs: focus, scroll positions, selections,
 * opened details and drawn charts stay.
 */

/**
 * @param {Element} from what is on the page
 * @param {Element} to what it shall be
 */
export function morph(from, to) {
  attributes(from, to);
  children(from, to);
}

/** @param {Element} from @param {Element} to */
function attributes(from, to) {
  if (from.nodeName === "CANVAS") {
    // The rest of them are the chart's.
    set(from, "aria-label", to.getAttribute("aria-label") ?? "");
    return;
  }
  for (const { name, value } of to.attributes) set(from, name, value);
  for (const { name } of [...from.attributes]) {
    const opened = from.nodeName === "DETAILS" && name === "open";
    if (!to.hasAttribute(name) && !opened) from.removeAttribute(name);
  }
}

/** @param {Element} element @param {string} name @param {string} value */
function set(element, name, value) {
  if (element.getAttribute(name) !== value) element.setAttribute(name, value);
}

/** @param {Element} from @param {Element} to */
function children(from, to) {
  let next = from.firstChild;
  for (const wanted of [...to.childNodes]) {
    const found = match(next, wanted);
    if (found === next) next = next?.nextSibling ?? null;
    if (!found) from.insertBefore(wanted, next);
    else {
      if (found.nextSibling !== next) from.insertBefore(found, next);
      node(found, wanted);
    }
  }
  while (next) {
    const rest = next.nextSibling;
    next.remove();
    next = rest;
  }
}

/** @param {ChildNode} from @param {ChildNode} to */
function node(from, to) {
  if (from instanceof Element && to instanceof Element) morph(from, to);
  else if (from.nodeValue !== to.nodeValue) from.nodeValue = to.nodeValue;
}

/**
 * @param {ChildNode | null} first the first one that may be taken
 * @param {ChildNode} wanted
 * @returns {ChildNode | null} the one with the same id, or without any the first if it is of the same kind
 */
function match(first, wanted) {
  const id = idOf(wanted);
  if (!id) return first?.nodeName === wanted.nodeName && !idOf(first) ? first : null;
  for (let each = first; each; each = each.nextSibling) {
    if (idOf(each) === id && each.nodeName === wanted.nodeName) return each;
  }
  return null;
}

/** @param {ChildNode} child */
function idOf(child) {
  // A form's own `id` is hidden behind a field with that name.
  return child instanceof Element ? (child.getAttribute("id") ?? "") : "";
}
