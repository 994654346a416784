// Under which names are the files sent, and in which requests?
import type { NamedFile } from "../../api/client";

/** Most images in one request: a browser needs some 0.4 ms for each, in which the page stands still. */
export const FILES_PER_REQUEST = 64;
/** Most bytes of images in one request: below the limit of the gateway, with room for the multipart envelope. */
export const BYTES_PER_REQUEST = 48 * 1024 * 1024;

/** Names every file: by its path, where it was chosen with its folder. */
export function named(files: Iterable<File>): NamedFile[] {
  return Array.from(files, (file) => ({ name: file.webkitRelativePath || file.name, file }));
}

/** Removes what a folder holds beside its images: hidden files, in hidden folders too. */
export function withoutHidden(files: readonly NamedFile[]): NamedFile[] {
  return files.filter(({ name }) => !name.split("/").some((part) => part.startsWith(".")));
}

/**
 * Gives every file a unique name, so that the answer of the service, which refers to files by name, is not ambiguous:
 * "a.png", "a.png" → "a.png", "a (2).png".
 */
export function withUniqueNames(files: readonly NamedFile[]): NamedFile[] {
  const used = new Set<string>();
  // The next number to try for a name, so that thousands of equal names take no quadratic time.
  const next = new Map<string, number>();
  return files.map(({ name, file }) => {
    let unique = name;
    let n = next.get(name) ?? 2;
    for (; used.has(unique); n += 1) unique = numbered(name, n);
    next.set(name, n);
    used.add(unique);
    return { name: unique, file };
  });
}

/**
 * Splits the files into requests within both limits; a file that is too large by itself is sent alone. Each request is made
 * up when it is asked for, because a browser looks at the disk to tell the size of a file.
 */
export function* inRequests(files: readonly NamedFile[]): Generator<NamedFile[]> {
  let request: NamedFile[] = [];
  let bytes = 0;
  for (const named of files) {
    const { size } = named.file;
    if (request.length === FILES_PER_REQUEST || (request.length > 0 && bytes + size > BYTES_PER_REQUEST)) {
      yield request;
      request = [];
      bytes = 0;
    }
    request.push(named);
    bytes += size;
  }
  if (request.length > 0) yield request;
}

function numbered(name: string, n: number): string {
  const dot = name.lastIndexOf(".");
  return dot > 0 ? `${name.slice(0, dot)} (${n})${name.slice(dot)}` : `${name} (${n})`;
}
