// Which files are in a drop, those of its folders included?
import type { NamedFile } from "../../api/client";
import { named, withoutHidden } from "./prepare";

/** Most files read from the folders of one drop: as many as the page keeps results. */
const FILES_MAX = 20_000;

/** Reads the files of a drop. A folder is read to its end; its files are named by their paths. */
export async function droppedFiles(transfer: DataTransfer): Promise<NamedFile[]> {
  // The transfer is emptied when the event is over, so everything is taken from it before the first wait.
  const items = [...transfer.items].filter(({ kind }) => kind === "file");
  const sources = items.map((item) => ({ entry: item.webkitGetAsEntry(), file: item.getAsFile() }));
  const files: NamedFile[] = [];
  for (const { entry, file } of sources) {
    if (entry?.isDirectory) await readFolder(entry as FileSystemDirectoryEntry, files);
    else if (file) files.push(...named([file]));
  }
  return files;
}

async function readFolder(folder: FileSystemDirectoryEntry, files: NamedFile[]): Promise<void> {
  const reader = folder.createReader();
  while (files.length < FILES_MAX) {
    // A reader returns its entries in portions, and an empty one at the end.
    const entries = await new Promise<FileSystemEntry[]>((resolve, reject) => {
      reader.readEntries(resolve, reject);
    });
    if (entries.length === 0) return;
    const read = await Promise.all(entries.filter(({ isFile }) => isFile).map(fileOf));
    files.push(...withoutHidden(read));
    for (const entry of entries.filter(({ isDirectory }) => isDirectory)) {
      if (!entry.name.startsWith(".")) await readFolder(entry as FileSystemDirectoryEntry, files);
    }
  }
}

function fileOf(entry: FileSystemEntry): Promise<NamedFile> {
  return new Promise((resolve, reject) => {
    (entry as FileSystemFileEntry).file((file) => {
      resolve({ name: entry.fullPath.replace(/^\//, ""), file });
    }, reject);
  });
}
