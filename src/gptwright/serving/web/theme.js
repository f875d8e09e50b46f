// Before anything is drawn: the colours that were chosen, if any were.
try {
  const chosen = localStorage.getItem("gptwright.theme");
  if (chosen) document.documentElement.dataset.theme = chosen;
} catch {} // storage is denied: the system's colours
