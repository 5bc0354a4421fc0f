// Where ours answers AMQP clients otherwise than RabbitMQ does, on purpose: the lines of a scenario's transcript that only
// one of the two has. The table in specs/amqp/MAPPING.md is made from these rows (`npm run oracle -- amqp --table`).

export interface Difference {
  readonly rabbitmq: readonly string[];
  readonly ours: readonly string[];
  readonly why: string;
}

/** What ours adds wherever it occurs: taken out of its lines before they are compared. */
export const ADDED: readonly { readonly what: string; readonly pattern: RegExp; readonly why: string }[] = [
  {
    what: 'x-last-death-exchange, x-last-death-queue and x-last-death-reason in dead letters',
    pattern: /, x-last-death-(?:exchange|queue|reason): S "[^"]*"/g,
    why: 'RabbitMQ writes them since 3.13; the one compared with is older',
  },
];

export const DIFFERENCES: Readonly<Record<string, Difference>> = {
  'connection: header 0-8': {
    rabbitmq: [
      'A < connection.start versionMajor=8 versionMinor=0 serverProperties={capabilities: F {}, cluster_name: S, copyright: S, information: S, platform: S, product: S, version: S} mechanisms="AMQPLAIN PLAIN" locales="en_US"',
    ],
    ours: ['A < header 0 0 9 1', 'A - the connection is gone'],
    why: 'RabbitMQ answers clients of 0-8 in their version; none is left, ours names the version it speaks',
  },
  'connection: an unknown mechanism': {
    rabbitmq: ['A - the connection is gone'],
    ours: [
      'A < connection.close replyCode=403 replyText="ACCESS_REFUSED - Login was refused using authentication mechanism NONE. For details see the broker logfile." classId=0 methodId=0',
    ],
    why: 'RabbitMQ 3.10 drops the connection without a word; ours says why, as later versions do for some',
  },
  'connection: a PLAIN answer without separators': {
    rabbitmq: ['A - the connection is gone'],
    ours: [
      'A < connection.close replyCode=403 replyText="ACCESS_REFUSED - Login was refused using authentication mechanism PLAIN. For details see the broker logfile." classId=0 methodId=0',
    ],
    why: 'RabbitMQ 3.10 drops the connection without a word; ours says why, as later versions do for some',
  },
  'connection: tune-ok with too many channels': {
    rabbitmq: ['A - the connection is gone'],
    ours: [
      'A < connection.close replyCode=530 replyText="NOT_ALLOWED - negotiated channel_max = 2048 is higher than the maximum allowed value (2047)" classId=10 methodId=31',
    ],
    why: 'RabbitMQ 3.10 drops the connection without a word; ours says why, as later versions do for some',
  },
  'connection: tune-ok with 0 channels': {
    rabbitmq: ['A - the connection is gone'],
    ours: [
      'A < connection.close replyCode=530 replyText="NOT_ALLOWED - negotiated channel_max = 0 is higher than the maximum allowed value (2047)" classId=10 methodId=31',
    ],
    why: 'RabbitMQ 3.10 drops the connection without a word; ours says why, as later versions do for some',
  },
  'connection: tune-ok with too large frames': {
    rabbitmq: ['A - the connection is gone'],
    ours: [
      'A < connection.close replyCode=530 replyText="NOT_ALLOWED - negotiated frame_max = 131073 is higher than the maximum allowed value (131072)" classId=10 methodId=31',
    ],
    why: 'RabbitMQ 3.10 drops the connection without a word; ours says why, as later versions do for some',
  },
  'connection: tune-ok with 0 as frame size': {
    rabbitmq: ['A - the connection is gone'],
    ours: [
      'A < connection.close replyCode=530 replyText="NOT_ALLOWED - negotiated frame_max = 0 is higher than the maximum allowed value (131072)" classId=10 methodId=31',
    ],
    why: 'RabbitMQ 3.10 drops the connection without a word; ours says why, as later versions do for some',
  },
  'connection: tune-ok with too small frames': {
    rabbitmq: ['A - the connection is gone'],
    ours: [
      'A < connection.close replyCode=530 replyText="NOT_ALLOWED - negotiated frame_max = 1000 is lower than the minimum allowed value (4096)" classId=10 methodId=31',
    ],
    why: 'RabbitMQ 3.10 drops the connection without a word; ours says why, as later versions do for some',
  },
  'connection: open before start-ok': {
    rabbitmq: [],
    ours: [
      'A < connection.close replyCode=504 replyText="CHANNEL_ERROR - unexpected method in connection state start" classId=10 methodId=40',
    ],
    why: 'RabbitMQ 3.10 drops the connection without a word; ours says why, as later versions do for some',
  },
  'connection: close is answered, what follows is not': {
    rabbitmq: ['A - the connection is still there'],
    ours: ['A - the connection is gone'],
    why: 'after close-ok RabbitMQ leaves it to the client to end the socket; ours ends it too, so that a client that forgets leaves nothing behind',
  },
  'frames: a wrong end octet': {
    rabbitmq: [
      'A < connection.close replyCode=501 replyText="FRAME_ERROR - type 1, all octets = <<0,60,0,10,0,0,0,0,0,0,0>>: {invalid_frame_end_marker,\\n                                                   205}" classId=0 methodId=0',
    ],
    ours: [
      'A < connection.close replyCode=501 replyText="FRAME_ERROR - frame end is octet 0xcd where 0xce is expected" classId=0 methodId=0',
    ],
    why: 'the code is the same; RabbitMQ’s text is an Erlang term with the octets of the frame, ours says what was expected',
  },
  'frames: an unknown type': {
    rabbitmq: [
      'A < connection.close replyCode=501 replyText="FRAME_ERROR - type 4, all octets = <<\\"hello\\">>: unknown_frame" classId=0 methodId=0',
    ],
    ours: ['A < connection.close replyCode=501 replyText="FRAME_ERROR - unknown frame type 4" classId=0 methodId=0'],
    why: 'the code is the same; RabbitMQ’s text is an Erlang term with the octets of the frame, ours says what was expected',
  },
  'frames: a heartbeat on a channel': {
    rabbitmq: [
      'A < connection.close replyCode=505 replyText="UNEXPECTED_FRAME - type 8, all octets = <<>>" classId=0 methodId=0',
    ],
    ours: [
      'A < connection.close replyCode=505 replyText="UNEXPECTED_FRAME - heartbeat of 0 octets on channel 1" classId=0 methodId=0',
    ],
    why: 'the code is the same; RabbitMQ’s text is an Erlang term with the octets of the frame, ours says what was expected',
  },
  'frames: a heartbeat with a payload': {
    rabbitmq: [
      'A < connection.close replyCode=501 replyText="FRAME_ERROR - type 8, all octets = <<\\"x\\">>: unknown_frame" classId=0 methodId=0',
    ],
    ours: [
      'A < connection.close replyCode=501 replyText="FRAME_ERROR - heartbeat of 1 octets on channel 0" classId=0 methodId=0',
    ],
    why: 'the code is the same; RabbitMQ’s text is an Erlang term with the octets of the frame, ours says what was expected',
  },
  'frames: a method without all of its arguments': {
    rabbitmq: [
      'A < connection.close replyCode=501 replyText="FRAME_ERROR - cannot decode <<0,0>>" classId=50 methodId=10',
    ],
    ours: [
      'A < connection.close replyCode=501 replyText="FRAME_ERROR - cannot decode: 1 bytes wanted at 13, the frame ends at 13" classId=50 methodId=10',
    ],
    why: 'the code is the same; RabbitMQ’s text is an Erlang term with the octets of the frame, ours says what was expected',
  },
  'frames: a method with too many octets': {
    rabbitmq: [
      'A < connection.close replyCode=501 replyText="FRAME_ERROR - cannot decode <<0,0,0,0,0,0,0,0,0,0>>" classId=60 methodId=10',
    ],
    ours: [
      'A < connection.close replyCode=501 replyText="FRAME_ERROR - cannot decode: 3 octets behind the arguments of basic.qos" classId=60 methodId=10',
    ],
    why: 'the code is the same; RabbitMQ’s text is an Erlang term with the octets of the frame, ours says what was expected',
  },
  'frames: an unknown method': {
    rabbitmq: ['A - the connection is gone'],
    ours: [
      'A < connection.close replyCode=503 replyText="COMMAND_INVALID - unknown method (60,99)" classId=60 methodId=99',
    ],
    why: 'RabbitMQ 3.10 drops the connection without a word; ours says why, as later versions do for some',
  },
  'frames: an unknown class': {
    rabbitmq: ['A - the connection is gone'],
    ours: [
      'A < connection.close replyCode=503 replyText="COMMAND_INVALID - unknown method (99,10)" classId=99 methodId=10',
    ],
    why: 'RabbitMQ 3.10 drops the connection without a word; ours says why, as later versions do for some',
  },
  'frames: a header that ends early': {
    rabbitmq: [
      'A < connection.close replyCode=501 replyText="FRAME_ERROR - type 2, all octets = <<0,60,0,0,0,0,0,0,0>>: unknown_frame" classId=0 methodId=0',
    ],
    ours: [
      'A < connection.close replyCode=501 replyText="FRAME_ERROR - cannot decode: content header is cut short" classId=60 methodId=40',
    ],
    why: 'the code is the same; RabbitMQ’s text is an Erlang term with the octets of the frame, ours says what was expected',
  },
  'frames: a header on channel 0': {
    rabbitmq: [
      'A < connection.close replyCode=505 replyText="UNEXPECTED_FRAME - type 2, all octets = <<0,60,0,0,0,0,0,0,0,0,0,1,0,0>>" classId=0 methodId=0',
    ],
    ours: [
      'A < connection.close replyCode=505 replyText="UNEXPECTED_FRAME - expected method frame, got non method frame instead" classId=0 methodId=0',
    ],
    why: 'the code is the same; RabbitMQ’s text is an Erlang term with the octets of the frame, ours says what was expected',
  },
  'frames: more body than the header said': {
    rabbitmq: ['A - no answer'],
    ours: [
      'A < connection.close replyCode=501 replyText="FRAME_ERROR - body is larger than the 2 octets announced" classId=60 methodId=40',
    ],
    why: 'RabbitMQ never completes the message and says nothing; ours answers at once',
  },
  'frames: larger than agreed': {
    rabbitmq: [
      'A < connection.close replyCode=501 replyText="FRAME_ERROR - type 1, all octets = <<>>: {frame_too_large,200000,131064}" classId=0 methodId=0',
    ],
    ours: [
      'A < connection.close replyCode=501 replyText="FRAME_ERROR - frame payload of 200000 bytes exceeds the maximum of 131072" classId=0 methodId=0',
    ],
    why: 'the code is the same; RabbitMQ’s text is an Erlang term with the octets of the frame, ours says what was expected',
  },
  'frames: a table with an unknown type': {
    rabbitmq: ['A - the connection is gone'],
    ours: [
      'A < connection.close replyCode=501 replyText="FRAME_ERROR - cannot decode: field type \\"Z\\" is unknown" classId=50 methodId=10',
    ],
    why: 'RabbitMQ 3.10 drops the connection without a word; ours says why, as later versions do for some',
  },
  'queue: exclusive ones go with their connection': {
    rabbitmq: [],
    ours: ['A - the connection is gone'],
    why: 'after close-ok ours ends the socket too',
  },
  'message: a delivery mode that is not known': {
    rabbitmq: [
      'A.1 < channel.close replyCode=406 replyText="PRECONDITION_FAILED - invalid message: {delivery_mode_unknown,7}" classId=60 methodId=40',
    ],
    ours: [
      'A.1 < basic.get-ok deliveryTag=1 redelivered=false exchange="" routingKey="q" messageCount=0 {deliveryMode=7} "m"',
      'A.1 > basic.get queue="q" noAck=true',
      'A.1 < basic.get-empty',
    ],
    why: 'delivery modes other than 2 are transient; RabbitMQ since 3.13 takes them too',
  },
  'message: expiration "99999999999999999999"': {
    rabbitmq: [
      'A.1 < channel.close replyCode=406 replyText="PRECONDITION_FAILED - invalid expiration \'99999999999999999999\': {value_too_large,\\n                                            99999999999999999999}" classId=60 methodId=40',
    ],
    ours: [
      'A.1 < channel.close replyCode=406 replyText="PRECONDITION_FAILED - invalid expiration \'99999999999999999999\': {value_too_large,99999999999999999999}" classId=60 methodId=40',
    ],
    why: 'the code is the same; RabbitMQ’s text is an Erlang term over two lines',
  },
  'requeue: quorum: nack one': {
    rabbitmq: [
      'A.2 < basic.get-ok deliveryTag=1 redelivered=false exchange="" routingKey="q" messageCount=2 {headers={x-delivery-count: l 0} deliveryMode=2} "5"',
      'A.2 < basic.get-ok deliveryTag=2 redelivered=false exchange="" routingKey="q" messageCount=1 {headers={x-delivery-count: l 0} deliveryMode=2} "6"',
      'A.2 < basic.get-ok deliveryTag=3 redelivered=true exchange="" routingKey="q" messageCount=0 {headers={x-delivery-count: l 1} deliveryMode=2} "2"',
    ],
    ours: [
      'A.2 < basic.get-ok deliveryTag=1 redelivered=true exchange="" routingKey="q" messageCount=2 {headers={x-delivery-count: l 1} deliveryMode=2} "2"',
      'A.2 < basic.get-ok deliveryTag=2 redelivered=false exchange="" routingKey="q" messageCount=1 {headers={x-delivery-count: l 0} deliveryMode=2} "5"',
      'A.2 < basic.get-ok deliveryTag=3 redelivered=false exchange="" routingKey="q" messageCount=0 {headers={x-delivery-count: l 0} deliveryMode=2} "6"',
    ],
    why: 'classic and quorum queues are one here: what is returned comes back to its place, as RabbitMQ’s quorum queues do once they have a delivery limit',
  },
  'requeue: quorum: nack all at once': {
    rabbitmq: [
      'A.2 < basic.get-ok deliveryTag=1 redelivered=false exchange="" routingKey="q" messageCount=5 {headers={x-delivery-count: l 0} deliveryMode=2} "5"',
      'A.2 < basic.get-ok deliveryTag=2 redelivered=false exchange="" routingKey="q" messageCount=4 {headers={x-delivery-count: l 0} deliveryMode=2} "6"',
      'A.2 < basic.get-ok deliveryTag=3 redelivered=true exchange="" routingKey="q" messageCount=3 {headers={x-delivery-count: l 1} deliveryMode=2} "1"',
      'A.2 < basic.get-ok deliveryTag=4 redelivered=true exchange="" routingKey="q" messageCount=2 {headers={x-delivery-count: l 1} deliveryMode=2} "2"',
      'A.2 < basic.get-ok deliveryTag=5 redelivered=true exchange="" routingKey="q" messageCount=1 {headers={x-delivery-count: l 1} deliveryMode=2} "3"',
      'A.2 < basic.get-ok deliveryTag=6 redelivered=true exchange="" routingKey="q" messageCount=0 {headers={x-delivery-count: l 1} deliveryMode=2} "4"',
    ],
    ours: [
      'A.2 < basic.get-ok deliveryTag=1 redelivered=true exchange="" routingKey="q" messageCount=5 {headers={x-delivery-count: l 1} deliveryMode=2} "1"',
      'A.2 < basic.get-ok deliveryTag=2 redelivered=true exchange="" routingKey="q" messageCount=4 {headers={x-delivery-count: l 1} deliveryMode=2} "2"',
      'A.2 < basic.get-ok deliveryTag=3 redelivered=true exchange="" routingKey="q" messageCount=3 {headers={x-delivery-count: l 1} deliveryMode=2} "3"',
      'A.2 < basic.get-ok deliveryTag=4 redelivered=true exchange="" routingKey="q" messageCount=2 {headers={x-delivery-count: l 1} deliveryMode=2} "4"',
      'A.2 < basic.get-ok deliveryTag=5 redelivered=false exchange="" routingKey="q" messageCount=1 {headers={x-delivery-count: l 0} deliveryMode=2} "5"',
      'A.2 < basic.get-ok deliveryTag=6 redelivered=false exchange="" routingKey="q" messageCount=0 {headers={x-delivery-count: l 0} deliveryMode=2} "6"',
    ],
    why: 'the same, of many at once',
  },
  'prefetch: the whole channel': {
    rabbitmq: [
      'A.1 < basic.deliver consumerTag="one" deliveryTag=4 redelivered=false exchange="" routingKey="q" {deliveryMode=2} "3"',
      'A.1 < basic.deliver consumerTag="two" deliveryTag=5 redelivered=false exchange="" routingKey="q" {deliveryMode=2} "4"',
    ],
    ours: [
      'A.1 < basic.deliver consumerTag="two" deliveryTag=4 redelivered=false exchange="" routingKey="q" {deliveryMode=2} "3"',
      'A.1 < basic.deliver consumerTag="one" deliveryTag=5 redelivered=false exchange="" routingKey="q" {deliveryMode=2} "4"',
    ],
    why: 'which of two consumers of a channel is first when its shared prefetch has room again is not promised; ours goes on in turns, RabbitMQ begins with the oldest',
  },
  'priority: the time to live of each level': {
    rabbitmq: ['dead: 0 ready'],
    ours: ['dead: 1 ready'],
    why: 'RabbitMQ expires a level only when its messages come up; here each level has its own timer',
  },
  'tx: a direct reply': {
    rabbitmq: [
      'A.1 < basic.deliver consumerTag="replies" deliveryTag=1 redelivered=false exchange="" routingKey="amq.rabbitmq.reply-to.*" {} "rolled back"',
    ],
    ours: [],
    why: 'a reply of a transaction is given with its commit; RabbitMQ does so since 4.2, the one compared with gives it at once',
  },
};
