// Which of the dropped files are sent, and in which requests?

/** Most images in one request. A batch has one receipt, so as many as a person is likely to drop at once. */
export const FILES_PER_REQUEST = 500;
/** Most bytes of images in one request: below the limit of the gateway, with room for the multipart envelope. */
export const BYTES_PER_REQUEST = 48 * 1024 * 1024;

/**
 * Gives every file a unique name, so that the answer of the service, which refers to files by name, is not ambiguous:
 * "a.png", "a.png" → "a.png", "a (2).png".
 */
export function withUniqueNames(files: readonly File[]): File[] {
  const used = new Set<string>();
  return files.map((file) => {
    let name = file.name;
    for (let n = 2; used.has(name); n += 1) name = numbered(file.name, n);
    used.add(name);
    return name === file.name ? file : new File([file], name, { type: file.type, lastModified: file.lastModified });
  });
}

/** Splits the files into requests within both limits; a file that is too large by itself is sent alone. */
export function inRequests(files: readonly File[]): File[][] {
  const requests: File[][] = [];
  let bytes = 0;
  for (const file of files) {
    const last = requests.at(-1);
    if (last && last.length < FILES_PER_REQUEST && bytes + file.size <= BYTES_PER_REQUEST) {
      last.push(file);
      bytes += file.size;
    } else {
      requests.push([file]);
      bytes = file.size;
    }
  }
  return requests;
}

/** Returns the files of a drop without folders, which browsers include as unreadable files. */
export function droppedFiles(transfer: DataTransfer): File[] {
  return [...transfer.items].flatMap((item) => {
    if (item.kind !== "file" || item.webkitGetAsEntry()?.isDirectory) return [];
    const file = item.getAsFile();
    return file ? [file] : [];
  });
}

function numbered(name: string, n: number): string {
  const dot = name.lastIndexOf(".");
  return dot > 0 ? `${name.slice(0, dot)} (${n})${name.slice(dot)}` : `${name} (${n})`;
}
