#!/usr/bin/env node
import { runCli } from './cli/program.ts'

// Commands set an exit code and let the process end by itself when its work is done; `serve` ends on a signal.
process.exitCode = await runCli(process.argv.slice(2))
