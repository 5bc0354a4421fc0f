// The body of a batch send (320): messages one behind the other,
//
//   totalSize 4 | magic 4 | bodyCRC 4 | flag 4 | bodyLength 4, body | propertiesLength 2, properties
//
// Invariant: `next` gives ranges inside of the body or throws BatchError; a body whose parts do not add up exactly is
// refused as a whole, before anything of it is stored.

export class BatchError extends Error {
  override readonly name = 'BatchError';
}

/** Messages in one batch; more are refused. */
const MESSAGES_MAX = 32_768;

const HEAD_BYTES = 20;

export class BatchCursor {
  flag = 0;
  bodyStart = 0;
  bodyEnd = 0;
  propertiesStart = 0;
  propertiesEnd = 0;
  #buffer: Buffer = Buffer.alloc(0);
  #at = 0;
  #end = 0;
  #count = 0;

  reset(buffer: Buffer, start: number, end: number): void {
    this.#buffer = buffer;
    this.#at = start;
    this.#end = end;
    this.#count = 0;
  }

  /** Moves to the next message; false behind the last. */
  next(): boolean {
    const buffer = this.#buffer;
    const at = this.#at;
    const end = this.#end;
    if (at === end) return false;
    if (++this.#count > MESSAGES_MAX) throw new BatchError(`more than ${MESSAGES_MAX} messages in a batch`);
    if (end - at < HEAD_BYTES + 2) throw new BatchError('the batch ends inside of a message');
    const total = buffer.readInt32BE(at);
    const messageEnd = at + total;
    if (total < HEAD_BYTES + 2 || messageEnd > end) throw new BatchError(`a message of ${total} bytes in the batch`);
    this.flag = buffer.readInt32BE(at + 12);
    const bodyBytes = buffer.readInt32BE(at + 16);
    this.bodyStart = at + HEAD_BYTES;
    if (bodyBytes < 0 || bodyBytes > messageEnd - this.bodyStart - 2) {
      throw new BatchError(`a body of ${bodyBytes} bytes in a message of ${total}`);
    }
    this.bodyEnd = this.bodyStart + bodyBytes;
    this.propertiesStart = this.bodyEnd + 2;
    this.propertiesEnd = this.propertiesStart + buffer.readUInt16BE(this.bodyEnd);
    if (this.propertiesEnd !== messageEnd) throw new BatchError('the parts of a message in the batch do not add up');
    this.#at = messageEnd;
    return true;
  }
}
