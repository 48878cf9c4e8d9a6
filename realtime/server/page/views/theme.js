// Light, dark, or as the system has it.

const STORED = "chroma-realtime.theme";

export function theme() {
  return document.documentElement.dataset.theme ?? "system";
}

export function setTheme(name) {
  if (name === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = name;
  try {
    localStorage.setItem(STORED, name);
  } catch {
    // It holds for this visit.
  }
  document.dispatchEvent(new Event("theme"));
}

try {
  setTheme(localStorage.getItem(STORED) ?? "system");
} catch {
  // No storage: as the system has it.
}
