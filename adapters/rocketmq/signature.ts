// Who sends a request, by the protocol's signatures (ACL): Signature is HMAC-SHA1, under the secret of AccessKey, of the
// values of all other fields in the order of their names, and the body.
//
// Invariants: while no user exists signatures are not looked at; a request without one is nobody's in particular, whatever
// the connection has sent before; a wrong one is refused and never taken for none.

import type { Principal } from '../../core/types.ts';
import { RESPONSE } from '../../specs/rocketmq/response-codes.ts';
import type { Connection } from './connection.ts';
import { RequestError } from './errors.ts';
import { fieldNumber } from './fields.ts';
import type { Header } from './header.ts';
import { fieldsOf } from './relay.ts';

const ACCESS_KEY = fieldNumber('AccessKey');
const SIGNATURE = 'Signature';
/** Clients up to 4.9.3 add this field after they have signed. */
const UNSIGNED_FIELD = '_UNIQUE_KEY_QUERY';
const VERSION_4_9_3 = 399;

export function senderOf(connection: Connection, header: Header, frame: Buffer): Principal {
  const { broker, info } = connection;
  const accessKey = broker.secured ? header.string(ACCESS_KEY, '') : '';
  if (accessKey === '') return connection.anonymous;
  const fields = fieldsOf(header);
  const signature = Buffer.from(fields.get(SIGNATURE) ?? '', 'base64');
  fields.delete(SIGNATURE);
  if (header.version <= VERSION_4_9_3) fields.delete(UNSIGNED_FIELD);
  const names = [...fields.keys()].sort();
  const values = Buffer.from(names.map((name) => fields.get(name)).join(''));
  const body = frame.subarray(header.bodyStart, header.bodyEnd);
  const sender = broker.verifySignature(accessKey, [values, body], signature, info.remote.host);
  if (sender === null) {
    throw new RequestError(
      RESPONSE.NO_PERMISSION,
      `the signature of access key "${accessKey.slice(0, 255)}" does not fit (a user can sign when its password was set while security.masterKeyFile is configured)`,
    );
  }
  return sender;
}
