import { describe, expect, it } from 'vitest';
import { SimBroker, TESTER } from '../testing/sim-broker.ts';
import { SETTING_VALUE_BYTES_MAX, SETTINGS_MAX, Settings } from './settings.ts';

describe('settings', () => {
  it.each(['close', 'kill'] as const)('are there again after a %s, and gone once removed', async (how) => {
    let s = await SimBroker.open();
    await s.run(s.broker.putSetting(TESTER, 'scope', 'a', 'one'));
    await s.run(s.broker.putSetting(TESTER, 'scope', 'b', '{"two":2}'));
    await s.run(s.broker.putSetting(TESTER, 'other', 'a', 'else'));
    await s.run(s.broker.putSetting(TESTER, 'scope', 'a', 'changed'));
    s = await s.restart(how);
    expect([...s.broker.settings('scope')]).toEqual([
      ['a', 'changed'],
      ['b', '{"two":2}'],
    ]);
    await s.run(s.broker.putSetting(TESTER, 'scope', 'b', null));
    s = await s.restart(how);
    expect(s.broker.setting('scope', 'b')).toBeNull();
    expect(s.broker.setting('other', 'a')).toBe('else');
    expect(s.broker.settings('nobody').size).toBe(0);
  });

  it('are bounded in number and size', async () => {
    const s = await SimBroker.open();
    await expect(s.broker.putSetting(TESTER, 's', 'k', 'x'.repeat(SETTING_VALUE_BYTES_MAX + 1))).rejects.toMatchObject({
      code: 'argument-invalid',
    });
    await expect(s.broker.putSetting(TESTER, '', 'k', 'x')).rejects.toMatchObject({ code: 'argument-invalid' });
    const full = new Settings();
    for (let n = 0; n < SETTINGS_MAX; n++) full.put('s', String(n), 'x');
    expect(() => full.check('s', 'more', 'x')).toThrow('10000 settings already');
    expect(() => full.check('s', '7', 'y')).not.toThrow();
    full.put('s', '7', null);
    expect(() => full.check('s', 'more', 'x')).not.toThrow();
  });
});
