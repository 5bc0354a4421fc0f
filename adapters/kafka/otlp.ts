// Reads the metrics that clients push: OTLP MetricsData (opentelemetry-proto 1, KIP-714), gauges and sums of it.
//
// Protocol buffers are fields of (number, wire type): 0 a varint, 1 eight bytes, 2 a length and bytes, 5 four bytes.
// Invariants: nothing is read beyond its message; what is not known is passed over; at most `pointsMax` points are read, each with
// a name and labels of a few KiB.
import { WireError } from '../wire/wire-error.ts';

export interface Point {
  readonly name: string;
  /** The point's attributes as `key=value`, in order, joined by commas. */
  readonly labels: string;
  readonly value: number;
}

const WIRE = { varint: 0, fixed64: 1, bytes: 2, fixed32: 5 } as const;
const TEXT_BYTES_MAX = 1_024;
/** Of one point; those that come behind are left out. */
const LABELS_MAX = 16;
const LABEL_CHARS_MAX = 1_024;

/** One field: its number, and where its value lies; for a varint the value itself. */
interface Field {
  readonly number: number;
  readonly wire: number;
  readonly start: number;
  readonly end: number;
  readonly value: number;
}

/** The points of all metrics. Throws WireError. */
export function readMetrics(bytes: Buffer, pointsMax: number): Point[] {
  const points: Point[] = [];
  for (const resource of inside(bytes, 0, bytes.length, 1)) {
    for (const scope of inside(bytes, resource.start, resource.end, 2)) {
      for (const metric of inside(bytes, scope.start, scope.end, 2)) {
        readMetric(bytes, metric, points, pointsMax);
        if (points.length >= pointsMax) return points;
      }
    }
  }
  return points;
}

function readMetric(bytes: Buffer, metric: Field, points: Point[], pointsMax: number): void {
  let name = '';
  for (const field of fieldsOf(bytes, metric.start, metric.end)) {
    if (field.number === 1) name = textOf(bytes, field);
    // Gauge (5) and Sum (7) have the same shape; histograms are left out.
    if (field.wire !== WIRE.bytes || (field.number !== 5 && field.number !== 7)) continue;
    for (const point of inside(bytes, field.start, field.end, 1)) {
      if (points.length >= pointsMax) return;
      points.push(readPoint(bytes, name, point));
    }
  }
}

function readPoint(bytes: Buffer, name: string, point: Field): Point {
  let value = 0;
  let labels = '';
  let count = 0;
  for (const field of fieldsOf(bytes, point.start, point.end)) {
    if (field.number === 4 && field.wire === WIRE.fixed64) value = bytes.readDoubleLE(field.start);
    else if (field.number === 6 && field.wire === WIRE.fixed64) value = Number(bytes.readBigInt64LE(field.start));
    else if (field.number === 7 && field.wire === WIRE.bytes && count < LABELS_MAX) {
      const label = attributeOf(bytes, field);
      if (labels.length + label.length > LABEL_CHARS_MAX) continue;
      labels += count++ === 0 ? label : `,${label}`;
    }
  }
  return { name, labels, value };
}

function attributeOf(bytes: Buffer, attribute: Field): string {
  let key = '';
  let value = '';
  for (const field of fieldsOf(bytes, attribute.start, attribute.end)) {
    if (field.number === 1) key = textOf(bytes, field);
    else if (field.number === 2 && field.wire === WIRE.bytes) value = anyOf(bytes, field);
  }
  return `${key}=${value}`;
}

function anyOf(bytes: Buffer, any: Field): string {
  for (const field of fieldsOf(bytes, any.start, any.end)) {
    if (field.number === 1) return textOf(bytes, field);
    if (field.wire === WIRE.varint) return String(field.value);
    if (field.number === 4 && field.wire === WIRE.fixed64) return String(bytes.readDoubleLE(field.start));
  }
  return '';
}

function textOf(bytes: Buffer, field: Field): string {
  if (field.wire !== WIRE.bytes) throw new WireError('a text that is none');
  return bytes.toString('utf8', field.start, Math.min(field.end, field.start + TEXT_BYTES_MAX));
}

/** The messages under one field number. */
function* inside(bytes: Buffer, start: number, end: number, number: number): Generator<Field> {
  for (const field of fieldsOf(bytes, start, end))
    if (field.number === number && field.wire === WIRE.bytes) yield field;
}

function* fieldsOf(bytes: Buffer, start: number, end: number): Generator<Field> {
  let at = start;
  while (at < end) {
    const tag = varint(bytes, at, end);
    at = tag.next;
    const wire = tag.value % 8;
    const number = Math.floor(tag.value / 8);
    let length: number;
    let value = 0;
    if (wire === WIRE.varint) {
      const read = varint(bytes, at, end);
      value = read.value;
      length = read.next - at;
    } else if (wire === WIRE.fixed64) length = 8;
    else if (wire === WIRE.fixed32) length = 4;
    else if (wire === WIRE.bytes) {
      const read = varint(bytes, at, end);
      at = read.next;
      length = read.value;
    } else throw new WireError(`wire type ${wire}`);
    if (length > end - at) throw new WireError(`field ${number} of ${length} bytes where ${end - at} are left`);
    yield { number, wire, start: at, end: at + length, value };
    at += length;
  }
}

function varint(bytes: Buffer, from: number, end: number): { value: number; next: number } {
  let value = 0;
  let scale = 1;
  for (let at = from; at < end && at < from + 10; at++) {
    value += (bytes[at]! & 0x7f) * scale;
    if (bytes[at]! < 0x80) return { value, next: at + 1 };
    scale *= 128;
  }
  throw new WireError('a varint that does not end');
}
