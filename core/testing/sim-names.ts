/**
 * The names of the simulated disk: files by path and directories, as they are now, as they are durable, and the changes
 * between the two.
 *
 * Invariants: a change is durable after a sync of its directory; of the others a power cut keeps the first so many, per
 * directory, and a rename whole or not at all. A new directory is itself a name in its parent.
 */
import { DiskError } from '../log/disk.ts';
import type { SimFile } from './sim-file.ts';
import type { SimRandom } from './sim-random.ts';

type Change =
  | { readonly kind: 'link'; readonly path: string; readonly file: SimFile }
  | { readonly kind: 'rename'; readonly path: string; readonly to: string; readonly file: SimFile }
  | { readonly kind: 'unlink' | 'make' | 'drop'; readonly path: string };

/** The root is the directory ''. */
class Tree {
  readonly files = new Map<string, SimFile>();
  readonly directories = new Set<string>(['']);

  apply(change: Change): void {
    if (change.kind === 'make') this.directories.add(change.path);
    else if (change.kind === 'drop') this.directories.delete(change.path);
    else if (change.kind === 'link') this.files.set(change.path, change.file);
    else this.files.delete(change.path);
    if (change.kind === 'rename') this.files.set(change.to, change.file);
  }

  /** Each file once, however many names it has in several trees. */
  takeFrom(other: Tree, copyOf: (file: SimFile) => SimFile): void {
    for (const directory of other.directories) this.directories.add(directory);
    for (const [path, file] of other.files) this.files.set(path, copyOf(file));
  }

  isReachable(directory: string): boolean {
    return directory === '' || (this.directories.has(directory) && this.isReachable(parentOf(directory)));
  }
}

export class SimNames {
  private readonly now = new Tree();
  private readonly durable = new Tree();
  private changes: Change[] = [];

  get dirty(): boolean {
    return this.changes.length > 0;
  }

  files(): Iterable<SimFile> {
    return this.now.files.values();
  }

  paths(): string[] {
    return [...this.now.files.keys()].sort();
  }

  find(path: string): SimFile | undefined {
    return this.now.files.get(path);
  }

  hasDirectory(path: string): boolean {
    return this.now.directories.has(path);
  }

  list(path: string): string[] {
    const names: string[] = [];
    for (const file of this.now.files.keys()) if (parentOf(file) === path) names.push(baseOf(file));
    for (const one of this.now.directories) if (one !== '' && parentOf(one) === path) names.push(baseOf(one));
    return names.sort();
  }

  link(path: string, file: SimFile): void {
    this.make(parentOf(path));
    this.change({ kind: 'link', path, file });
  }

  rename(path: string, to: string, file: SimFile): void {
    this.change({ kind: 'rename', path, to, file });
  }

  unlink(path: string): void {
    this.change({ kind: 'unlink', path });
  }

  /** With its parents. */
  make(path: string): void {
    if (this.now.directories.has(path)) return;
    if (this.now.files.has(path)) throw new DiskError('exists', `make directory ${path}: is a file`);
    this.make(parentOf(path));
    this.change({ kind: 'make', path });
  }

  drop(path: string): void {
    this.change({ kind: 'drop', path });
  }

  sync(path: string): void {
    // A rename from elsewhere becomes durable whole, and with it what happened there before.
    const directories = new Set([path]);
    const synced = new Set<Change>();
    for (const change of this.changes.toReversed()) {
      const touched = directoriesOf(change);
      if (!touched.some((directory) => directories.has(directory))) continue;
      synced.add(change);
      for (const directory of touched) directories.add(directory);
    }
    for (const change of this.changes) if (synced.has(change)) this.durable.apply(change);
    this.changes = this.changes.filter((change) => !synced.has(change));
  }

  /** What a power cut may leave of names and files, all of it durable. */
  crash(random: SimRandom): SimNames {
    const tree = new Tree();
    tree.takeFrom(this.durable, (file) => file);
    for (const change of this.keptChanges(random)) tree.apply(change);
    for (const directory of tree.directories) if (!tree.isReachable(directory)) tree.directories.delete(directory);
    for (const path of tree.files.keys()) if (!tree.directories.has(parentOf(path))) tree.files.delete(path);
    const left = new SimNames();
    left.now.takeFrom(tree, (file) => file.crash(random));
    left.durable.takeFrom(left.now, (file) => file);
    return left;
  }

  copy(): SimNames {
    const left = new SimNames();
    const copies = new Map<SimFile, SimFile>();
    const copyOf = (file: SimFile): SimFile => {
      let made = copies.get(file);
      if (made === undefined) copies.set(file, (made = file.copy()));
      return made;
    };
    left.now.takeFrom(this.now, copyOf);
    left.durable.takeFrom(this.durable, copyOf);
    left.changes = this.changes.map((change) => ('file' in change ? { ...change, file: copyOf(change.file) } : change));
    return left;
  }

  private change(change: Change): void {
    this.now.apply(change);
    this.changes.push(change);
  }

  private keptChanges(random: SimRandom): Change[] {
    const left = new Map<string, number>();
    for (const change of this.changes)
      for (const directory of directoriesOf(change)) left.set(directory, (left.get(directory) ?? 0) + 1);
    for (const [directory, count] of left) left.set(directory, random.int(count + 1));
    return this.changes.filter((change) => {
      const touched = directoriesOf(change);
      const isKept = touched.every((directory) => left.get(directory)! > 0);
      // What is lost takes all that came later in its directories with it.
      for (const directory of touched) left.set(directory, isKept ? left.get(directory)! - 1 : 0);
      return isKept;
    });
  }
}

function directoriesOf(change: Change): string[] {
  const from = parentOf(change.path);
  if (change.kind !== 'rename') return [from];
  const to = parentOf(change.to);
  return from === to ? [from] : [from, to];
}

/** The path without detours; the root is ''. */
export function normal(name: string): string {
  const parts = name.split('/').filter((part) => part !== '' && part !== '.');
  if (parts.includes('..') || name.startsWith('/')) throw new Error(`the path ${name} leaves the data directory`);
  return parts.join('/');
}

export function parentOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf('/')));
}

function baseOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}
