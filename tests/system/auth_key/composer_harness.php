<?php
// Copyright (c) 2026 The keyfleet.magento authors
// GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

// The installed Composer's own classes, asked about many auth.json files in one process: `composer` itself takes a
// tenth of a second for each. One question as JSON per line on standard input, one answer per line on standard output.
//
//     php composer_harness.php COMPOSER     (the program; COMPOSER_HOME is a directory that may be written to)
//
//     {"do": "read", "file": BASE64, "without": HOST}
//         What every command does first. `outcome` is "fatal" (with `error`), "ignored" (no credentials although the
//         file holds something else than an object or a list) or "accepted" (with `hosts`: [host, user, password], and
//         `rest`: a digest of all that Composer reads from the file except the http-basic entry of HOST).
//     {"do": "set", "file": BASE64, "host": …, "username": …, "password": …}
//         composer config --global http-basic.HOST USERNAME PASSWORD: `status`, and the `file` that it leaves.

declare(strict_types=1);

use Composer\Console\Application;
use Composer\Factory;
use Composer\IO\BufferIO;
use Composer\Json\JsonFile;
use Composer\Util\ErrorHandler;
use Symfony\Component\Console\Input\ArrayInput;
use Symfony\Component\Console\Output\BufferedOutput;

// As bin/composer begins.
setlocale(LC_ALL, 'C');
error_reporting(-1);
ini_set('display_errors', 'stderr');
ini_set('memory_limit', '1536M');
$program = realpath($argv[1]);
$classes = dirname($program, 2) . '/share/php/Composer/autoload.php'; // Debian's package
if (!is_file($classes)) {
    $classes = dirname($program, 2) . '/vendor/autoload.php'; // a clone
}
if (!is_file($classes)) {
    Phar::loadPhar($program, 'composer.phar');
    $classes = 'phar://composer.phar/vendor/autoload.php';
}
require $classes;
ErrorHandler::register();

$home = getenv('COMPOSER_HOME');
$path = $home . '/auth.json';

function without(array $data, string $host): array
{
    unset($data['http-basic'][$host]);
    if (($data['http-basic'] ?? []) === []) {
        unset($data['http-basic']);
    }

    return $data;
}

function read(string $path, ?string $host): array
{
    try {
        $io = new BufferIO();
        $io->loadConfiguration(Factory::createConfig($io));
    } catch (\Throwable $error) {
        return ['outcome' => 'fatal', 'error' => get_class($error) . ': ' . $error->getMessage()];
    }
    $hosts = [];
    foreach ($io->getAuthentications() as $name => $pair) {
        $hosts[] = [(string) $name, $pair['username'], $pair['password']];
    }
    $data = (new JsonFile($path))->read();
    if (!is_array($data)) {
        return ['outcome' => 'ignored', 'hosts' => $hosts];
    }

    return [
        'outcome' => 'accepted',
        'hosts' => $hosts,
        'rest' => null === $host ? null : hash('sha256', serialize(without($data, $host))),
    ];
}

function set(string $path, array $question): array
{
    $application = new Application();
    $application->setAutoExit(false);
    $output = new BufferedOutput();
    $status = $application->run(new ArrayInput([
        'command' => 'config',
        '--global' => true,
        'setting-key' => 'http-basic.' . $question['host'],
        'setting-value' => [$question['username'], $question['password']],
    ]), $output);

    return ['status' => $status, 'file' => base64_encode(file_get_contents($path)), 'error' => $output->fetch()];
}

while (($line = fgets(STDIN)) !== false) {
    $question = json_decode($line, true, 512, JSON_THROW_ON_ERROR);
    file_put_contents($path, base64_decode($question['file'], true));
    $answer = $question['do'] === 'read' ? read($path, $question['without'] ?? null) : set($path, $question);
    @unlink($home . '/config.json');
    fwrite(STDOUT, json_encode($answer, JSON_INVALID_UTF8_SUBSTITUTE | JSON_THROW_ON_ERROR) . "\n");
}
