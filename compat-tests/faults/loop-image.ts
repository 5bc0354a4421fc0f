// File systems of a suite's own: ext4 in an image file over a loop device, and tmpfs. A copy of the image is what a power
// cut would have left: data that was not synced is in the mounted file system's page cache and not in the image.
import { spawnSync } from 'node:child_process';
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { execute, scratch } from '../harness/work.ts';

export class Mounted {
  readonly directory: string;
  readonly #folder: string;

  private constructor(folder: string) {
    this.#folder = folder;
    this.directory = join(folder, 'mnt');
    mkdirSync(this.directory, { recursive: true });
    process.on('exit', this.#abandon);
  }

  /** A suite that ends early must not leave a mount behind. */
  readonly #abandon = (): void => {
    spawnSync('sh', ['-c', 'umount -l "$0"', this.directory]);
  };

  /** A new ext4 of this size in an image. */
  static async ext4(megabytes: number): Promise<Mounted> {
    const mounted = new Mounted(scratch('ext4'));
    await execute('truncate', ['-s', `${megabytes}M`, mounted.image]);
    await execute('mkfs.ext4', ['-q', '-F', '-E', 'lazy_itable_init=0,lazy_journal_init=0', mounted.image]);
    await execute('mount', ['-o', 'loop', mounted.image, mounted.directory]);
    return mounted;
  }

  static async tmpfs(megabytes: number): Promise<Mounted> {
    const mounted = new Mounted(scratch('tmpfs'));
    await execute('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m`, 'compat', mounted.directory]);
    return mounted;
  }

  get image(): string {
    return join(this.#folder, 'image');
  }

  /** The image as it is now, mounted elsewhere; its journal is replayed by that mount, as after a power cut. */
  async copied(): Promise<Mounted> {
    const copy = await this.copy();
    await copy.mount();
    return copy;
  }

  /** Copies the image only: quick, so that a stopped writer is not held up. */
  async copy(): Promise<Mounted> {
    const copy = new Mounted(scratch('cut'));
    await execute('cp', ['--sparse=always', this.image, copy.image]);
    return copy;
  }

  async mount(): Promise<void> {
    await execute('mount', ['-o', 'loop', this.image, this.directory]);
  }

  async remove(): Promise<void> {
    await execute('umount', [this.directory]).catch(() => execute('umount', ['-l', this.directory]));
    process.off('exit', this.#abandon);
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
