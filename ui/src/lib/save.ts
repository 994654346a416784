// How does a person get a text of the page as a file?

/** Saves a text as a file, as a download does. */
export function save(name: string, type: string, text: string): void {
  const url = URL.createObjectURL(new Blob([text], { type }));
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  // The browser has begun to read the file when the click returns.
  URL.revokeObjectURL(url);
}
