// The grammar of a row: one field of a Kafka message with the versions in which it is on the wire.
//
// Order of rows is order on the wire. A field with a tag travels in the tag buffer of its struct (KIP-482) and only in
// flexible versions. A field that a version does not carry reads as its default, or as the zero of its type.

export type ScalarType =
  | 'bool'
  | 'int8'
  | 'int16'
  | 'int32'
  | 'int64'
  | 'float64'
  | 'uuid'
  | 'string'
  | 'bytes'
  | '[]int8'
  | '[]int32'
  | '[]string';

interface Range {
  readonly name: string;
  /** First version with the field, 0 when absent. */
  readonly from?: number;
  /** Last version with the field, open when absent. */
  readonly to?: number;
  /** First version in which null may stand for the value; absent: never. */
  readonly nullable?: number;
  readonly tag?: number;
}

export interface ScalarField extends Range {
  readonly type: ScalarType;
  readonly default?: string | number | boolean | null;
}

/** `[]` is an array of structs, `{}` one struct; one that may be null is led by an int8, -1 for null. */
interface StructField extends Range {
  readonly type: '[]' | '{}';
  readonly fields: readonly Field[];
  readonly default?: null;
}

export type Field = ScalarField | StructField;

export interface Api {
  readonly key: number;
  readonly name: string;
  /** The range that ApiVersions advertises. */
  readonly min: number;
  readonly max: number;
  /** First version that is really served where `min` is advertised lower for the sake of clients. */
  readonly served?: number;
  /** First version with compact lengths and tag buffers; null: none. */
  readonly flexible: number | null;
  readonly request: readonly Field[];
  readonly response: readonly Field[];
}

interface Scalars {
  bool: boolean;
  int8: number;
  int16: number;
  int32: number;
  int64: number;
  float64: number;
  /** 32 hexadecimal digits. */
  uuid: string;
  string: string;
  bytes: Buffer;
  '[]int8': readonly number[];
  '[]int32': readonly number[];
  '[]string': readonly string[];
}

type Plain<F extends Field> = F extends StructField
  ? F['type'] extends '[]'
    ? Values<F['fields']>[]
    : Values<F['fields']>
  : F extends ScalarField
    ? Scalars[F['type']]
    : never;

type Value<F extends Field> = F extends { nullable: number } | { default: null } ? Plain<F> | null : Plain<F>;

/** What decoding gives: every field, whatever the version. */
export type Values<Fields extends readonly Field[]> = { [F in Fields[number] as F['name']]: Value<F> };

type PlainInput<F extends Field> = F extends StructField
  ? F['type'] extends '[]'
    ? readonly Input<F['fields']>[]
    : Input<F['fields']>
  : F extends ScalarField
    ? Scalars[F['type']]
    : never;

type InputValue<F extends Field> = F extends { nullable: number } | { default: null }
  ? PlainInput<F> | null
  : PlainInput<F>;

type Optional = { default: unknown } | { tag: number };

/** What encoding takes: fields with a default or a tag may be left out. */
export type Input<Fields extends readonly Field[]> = {
  [F in Fields[number] as F extends Optional ? never : F['name']]: InputValue<F>;
} & {
  [F in Fields[number] as F extends Optional ? F['name'] : never]?: InputValue<F>;
};

/** The version that a client and we agree on, seen from the row: can it be decoded? */
export function serves(api: Api, version: number): boolean {
  return version >= (api.served ?? api.min) && version <= api.max;
}

export function isFlexible(api: Api, version: number): boolean {
  return api.flexible !== null && version >= api.flexible;
}
