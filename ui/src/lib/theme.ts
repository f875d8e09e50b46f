// Light or dark: what was chosen, or else the system's.

export function switchTheme(): void {
  const root = document.documentElement;
  const shown = root.dataset.theme ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
  root.dataset.theme = shown === "dark" ? "light" : "dark";
  try {
    localStorage.setItem("gptwright.theme", root.dataset.theme);
  } catch {} // storage is denied
}
