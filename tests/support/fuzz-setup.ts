/**
 * Loaded before each test file of a long search. Properties without a count of their own are tried more
 * often, too.
 */
import fc from 'fast-check'
import { runs } from './fuzz.ts'

// Without a count fast-check tries a property 100 times.
fc.configureGlobal({ numRuns: runs(100) })
