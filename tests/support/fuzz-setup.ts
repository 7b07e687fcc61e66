/** Loaded before each test file of a long search: properties that name no count are tried more often, too. */
import fc from 'fast-check'
import { runs } from './fuzz.ts'

fc.configureGlobal({ numRuns: runs(100) })
