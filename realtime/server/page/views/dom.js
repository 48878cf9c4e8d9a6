// A few words for making elements.

export const $ = (id) => document.getElementById(id);

/** An element: `h("button", {type: "button", onclick}, "Words", child)`. Unknown names become attributes. */
export function h(tag, fields = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(fields)) {
    if (value === undefined || value === false) continue;
    if (name === "class") element.className = value;
    else if (name === "data") Object.assign(element.dataset, value);
    else if (name in element) element[name] = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

/** Calls `draw` once before the next frame, however often it is asked for. */
export function onceAFrame(draw) {
  let asked = false;
  return () => {
    if (asked) return;
    asked = true;
    requestAnimationFrame(() => {
      asked = false;
      draw();
    });
  };
}

/** Says something to who cannot see it. Sparingly: a screen reader's voice goes into the microphone too. */
export function announce(text) {
  $("announcer").textContent = text;
}
