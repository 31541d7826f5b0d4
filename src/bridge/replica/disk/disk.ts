/** The files of a replica's folder. Paths are relative and use `/`. */
export interface Disk {
  /** A file's bytes, null if it does not exist. @throws if it cannot be read */
  read(path: string): Promise<Uint8Array | null>;
  /**
   * Writes a file under a temporary name, flushes it, and renames it. After a crash there is the old file or the whole
   * new one. The new name survives a crash only after {@link Disk.flush} of its folder.
   */
  write(path: string, bytes: Uint8Array): Promise<void>;
  /** Makes the names in a folder durable. */
  flush(folder: string): Promise<void>;
  /** Removes a file or a folder with all that is in it, if it exists. */
  remove(path: string): Promise<void>;
  /** Names in a folder, those of interrupted writes included; none if there is no such folder. */
  list(folder: string): Promise<readonly string[]>;
}
