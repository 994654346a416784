// Under which names are the files sent, and in which requests?
import type { NamedFile } from "../../api/client";

/** Most images in one request: few enough that the first results come soon. */
export const FILES_PER_REQUEST = 64;
/** Most bytes of images in one request: below the limit of the gateway, with room for the multipart envelope. */
export const BYTES_PER_REQUEST = 48 * 1024 * 1024;
/** Largest file that is read before it is sent, in bytes: all of a request then need 64 MiB at most. */
const READ_MAX = 1024 * 1024;
/** Files whose sizes are asked for in one task, each for some 0.1 ms. */
const FILES_AT_ONCE = 8;

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
 * Splits the files into requests within both limits; a file that is too large by itself is sent alone.
 *
 * A browser asks another process for the size of each file, and again when it makes up a request, while the page stands
 * still. So the sizes are asked for a few at a time, and small files are read beforehand.
 */
export async function* inRequests(files: readonly NamedFile[]): AsyncGenerator<NamedFile[]> {
  let request: NamedFile[] = [];
  let bytes = 0;
  for (let i = 0; i < files.length; i += FILES_AT_ONCE) {
    for (const named of await Promise.all(files.slice(i, i + FILES_AT_ONCE).map(read))) {
      const { size } = named.content ?? named.file;
      if (request.length === FILES_PER_REQUEST || (request.length > 0 && bytes + size > BYTES_PER_REQUEST)) {
        yield request;
        request = [];
        bytes = 0;
      }
      request.push(named);
      bytes += size;
    }
    await nextTask();
  }
  if (request.length > 0) yield request;
}

async function read(named: NamedFile): Promise<NamedFile> {
  if (named.file.size > READ_MAX) return named;
  // A file that cannot be read is left to the request, which then says so.
  const bytes = await named.file.arrayBuffer().catch(() => null);
  return bytes === null ? named : { ...named, content: new Blob([bytes], { type: named.file.type }) };
}

function nextTask(): Promise<void> {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(null);
  });
}

function numbered(name: string, n: number): string {
  const dot = name.lastIndexOf(".");
  return dot > 0 ? `${name.slice(0, dot)} (${n})${name.slice(dot)}` : `${name} (${n})`;
}
