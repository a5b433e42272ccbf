import { checkStateFolder, ok, warning, type Finding } from '@embedline/core';
import { describeOldState, findOldState, wayOn } from '../commands/tell-old-state.ts';
import type { Check } from './check.ts';

/** The folder of state on this machine: whether it is the user's alone, and whether an older one lies about. */
export const state: Check = {
  name: 'state folder',
  examine: ({ context: { config } }) => {
    const isThere = checkStateFolder(config.dataDirectory);
    const by = config.isHomeGiven ? 'EMBEDLINE_HOME' : `for the project ${config.projectDirectory}`;
    const findings: Finding[] = [
      ok('state folder', `${config.dataDirectory} (${by}${isThere ? '' : '; not made yet'})`),
    ];
    const old = findOldState(config);
    if (old !== null) findings.push(warning('old state folder', describeOldState(old, config), wayOn(old)));
    return Promise.resolve(findings);
  },
};
