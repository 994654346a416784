// Which of the things that a person dropped are sent, and in which requests?

/** Pictures in one request. One batch is one receipt, so as many as a person is likely to drop at once. */
export const FILES_PER_REQUEST = 500;
/** Bytes of pictures in one request, below the gateway's own limit with room for the multipart envelope. */
export const BYTES_PER_REQUEST = 48 * 1024 * 1024;

/**
 * Gives every file a name of its own, so that the service's answer, which goes by names, is not ambiguous:
 * "a.png", "a.png" → "a.png", "a (2).png".
 */
export function withOwnNames(files: readonly File[]): File[] {
  const taken = new Set<string>();
  return files.map((file) => {
    let name = file.name;
    for (let n = 2; taken.has(name); n += 1) name = numbered(file.name, n);
    taken.add(name);
    return name === file.name ? file : new File([file], name, { type: file.type, lastModified: file.lastModified });
  });
}

/** Cuts the files into requests that stay within both limits; a file that is too large by itself goes alone. */
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

/** The files of a drop; folders, which browsers also hand over as files that cannot be read, are left out. */
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
