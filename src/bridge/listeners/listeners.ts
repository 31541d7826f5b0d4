import type { Server } from "node:net";
import { type ListenAddress, showAddress } from "./address.ts";
import { adopt, type Bound, listen, removerOf, setMode } from "./listen.ts";
import { descriptorOf } from "./node-handles.ts";

/** Where a protocol, or the metrics, are to be served. */
export interface ListenerSetting<N extends string = string> {
  readonly name: N;
  readonly address: ListenAddress;
}

/** A socket that listens already, opened by systemd or by the bridge that this one replaces. */
export interface InheritedListener<N extends string = string> {
  readonly name: N;
  readonly fd: number;
  /** The setting that it was opened for; null if systemd opened it. */
  readonly setting: ListenAddress | null;
  /** Its address, as people see it, if it is known. */
  readonly shown: string | null;
}

/** One open listener, such as `socketmap` and `127.0.0.1:10023`. */
export interface Listener {
  readonly name: string;
  readonly address: string;
}

interface OpenListener<N extends string> extends Bound {
  readonly name: N;
  readonly setting: ListenAddress | null;
  readonly shown: string;
  readonly server: Server;
}

export interface ListenersOptions<N extends string> {
  /** A server that does not listen yet. */
  create(name: N): Server;
  /** A server accepts no more clients; those that it has are for the caller to end. */
  closing(name: N, server: Server): void;
  /** A listener stays open, but something failed, such as too many open files. */
  fault(error: unknown): void;
  /** A listener was closed because the settings no longer name it. */
  removed(server: Server): void;
}

/** The open listeners, and what the settings say of them. */
export class Listeners<N extends string> {
  readonly #options: ListenersOptions<N>;
  #open: OpenListener<N>[] = [];

  constructor(options: ListenersOptions<N>) {
    this.#options = options;
  }

  /** In the order in which they were opened. */
  get list(): readonly Listener[] {
    return this.#open.map(({ name, shown }) => ({ name, address: shown }));
  }

  /** Listens on inherited sockets. @throws ListenError */
  async adopt(inherited: readonly InheritedListener<N>[]): Promise<void> {
    for (const { name, fd, setting, shown } of inherited) {
      const server = this.#options.create(name);
      const bound = await adopt(server, fd, name);
      const removeFile = setting?.kind === "unix" ? removerOf(setting.path) : bound.removeFile;
      const address = bound.address === null ? null : showAddress(bound.address);
      this.#add({
        ...bound,
        removeFile,
        name,
        setting,
        server,
        shown: shown ?? address ?? `descriptor ${fd}`,
      });
    }
  }

  /** Listens on one more address. @throws ListenError */
  async open({ name, address }: ListenerSetting<N>, mode: number): Promise<ListenAddress> {
    const server = this.#options.create(name);
    const bound = await listen(server, address, mode);
    const real = bound.address ?? address;
    this.#add({ ...bound, name, setting: address, server, shown: showAddress(real) });
    return real;
  }

  /**
   * Listens where the settings say, and nowhere else: unchanged listeners stay open. If one cannot be opened, nothing
   * changes.
   * @param mode permissions of unix sockets
   * @throws ListenError
   */
  async update(settings: readonly ListenerSetting<N>[], mode: number): Promise<void> {
    // Those of systemd stay, whatever the settings say.
    const unwanted = new Set(this.#open.filter(({ setting }) => setting !== null));
    const missing: ListenerSetting<N>[] = [];
    for (const wanted of settings) {
      const found = [...unwanted].find((each) => isFor(each, wanted)) ?? this.#inheritedFor(wanted);
      if (found === undefined) missing.push(wanted);
      else unwanted.delete(found);
    }
    const before = this.#open.length;
    try {
      for (const each of missing) await this.open(each, mode);
    } catch (error) {
      for (const each of this.#open.splice(before)) this.#close(each);
      throw error;
    }
    this.#open = this.#open.filter((each) => !unwanted.has(each));
    // The mode may have changed.
    for (const { setting } of this.#open) if (setting?.kind === "unix") setMode(setting.path, mode);
    for (const each of unwanted) {
      this.#close(each);
      this.#options.removed(each.server);
    }
  }

  /** The sockets, for the process that replaces this one. The descriptors are those of this process. */
  descriptors(): InheritedListener<N>[] {
    return this.#open.map(({ name, setting, shown, server }) => ({
      name,
      setting,
      shown,
      fd: descriptorOf(server),
    }));
  }

  /** Accepts no new clients. @param isReplaced another process listens on */
  close(isReplaced = false): void {
    for (const each of this.#open.splice(0)) this.#close(each, isReplaced);
  }

  #inheritedFor({ name, address }: ListenerSetting<N>): OpenListener<N> | undefined {
    const shown = showAddress(address);
    return this.#open.find((each) => each.setting === null && each.name === name && each.shown === shown);
  }

  #add(listener: OpenListener<N>): void {
    listener.server.on("error", (error) => this.#options.fault(error));
    this.#open.push(listener);
  }

  #close({ name, server, setting, removeFile }: OpenListener<N>, isReplaced = false): void {
    // The file of a socket that systemd opened is systemd's.
    if (!isReplaced && setting !== null) removeFile();
    // Its connections are not waited for: Node counts those that were handed over as open for ever.
    server.close();
    this.#options.closing(name, server);
  }
}

const isFor = <N extends string>(open: OpenListener<N>, wanted: ListenerSetting<N>): boolean =>
  open.setting !== null &&
  open.name === wanted.name &&
  showAddress(open.setting) === showAddress(wanted.address);
