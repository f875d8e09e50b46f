// One language at a time: the one that was chosen on any page of gptwright, otherwise the browser's.
{
  const root = document.documentElement, key = "gptwright.language";
  const speak = (language) => {
    root.lang = language === "zh" ? "zh-Hans" : "en";
    document.title = language === "zh" ? root.dataset.chinese : root.dataset.english;
  };
  let chosen = navigator.language.toLowerCase().startsWith("zh") ? "zh" : "en";
  try {
    const kept = localStorage.getItem(key);
    if (kept === "en" || kept === "zh") chosen = kept;
  } catch {} // storage is denied
  speak(chosen);
  const button = document.getElementById("switch");
  button.hidden = false;
  button.addEventListener("click", () => {
    const wanted = root.lang === "en" ? "zh" : "en";
    speak(wanted);
    try {
      localStorage.setItem(key, wanted);
    } catch {} // storage is denied
  });
}
