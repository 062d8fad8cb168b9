import { SendBudget } from './send-budget.js';

/** In ten minutes: a few races' worth of punching, which dials a closed port every few hundredths of a second. */
const MAX_DIALS_PER_ADDRESS = 600;
const MAX_DIALS = 1_200;

/**
 * Of every TCP path, for the whole program. Whoever names strangers' addresses as his own, introduction after
 * introduction, does not make a port scanner of it.
 */
export const dialBudget = new SendBudget(MAX_DIALS_PER_ADDRESS, MAX_DIALS);
