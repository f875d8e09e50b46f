// What this browser keeps for the page. Where it keeps nothing (storage denied or full) the page works all the same.

export function readKept(name: string): string {
  try {
    return localStorage.getItem(`gptwright.${name}`) ?? "";
  } catch {
    return "";
  }
}

/** Keeps a text, or forgets it where it is empty. False: the browser refused. */
export function keep(name: string, text: string): boolean {
  try {
    if (text) localStorage.setItem(`gptwright.${name}`, text);
    else localStorage.removeItem(`gptwright.${name}`);
    return true;
  } catch {
    return false;
  }
}
