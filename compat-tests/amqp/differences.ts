// Where ours answers AMQP clients otherwise than RabbitMQ does, on purpose: the lines of a scenario's transcript that only
// one of the two has. The table in specs/amqp/MAPPING.md is made from these rows (`npm run oracle -- amqp --table`).

export interface Difference {
  readonly rabbitmq: readonly string[];
  readonly ours: readonly string[];
  readonly why: string;
}

export const DIFFERENCES: Readonly<Record<string, Difference>> = {};
