#!/usr/bin/env node
import { main } from './cli/program.js';

const exitCode = await main(process.argv.slice(2));
if (exitCode !== 0) process.exitCode = exitCode; // what runs on says at its end how it ended
