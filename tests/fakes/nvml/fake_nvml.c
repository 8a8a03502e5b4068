/* A driver library that speaks NVML, for the real nvidia-ml-py to load.
 *
 * Its whole state is the text file named by FAKE_NVML_STATE, read at each call, so that a test
 * changes the machine in mid-run. Lines are "key value"; a line "gpu" starts the next card:
 *
 *   driver 550.54.15        cuda 12040        init_error 9
 *   gpu
 *   uuid GPU-1              name NVIDIA A100-SXM4-80GB
 *   energy_mj 1000          (absent: the card has no energy counter)
 *   power_mw 250000         live_since 12.5   (energy grows by power since this CLOCK_MONOTONIC)
 *   counted_pct 57          (of the power; absent: 100)
 *   average_mw 250000       instant_mw 251000      module_mw 600000      hbm_mw 40000
 *   smoothing 1             (these fields; absent: the card lacks them)
 *   sm_mhz 1980             memory_mhz 2619       reasons 4      profile 20    (absent: likewise)
 *   c2c 1                   (linked to its processor; absent: not supported)
 *   no_fields 1             (a driver without nvmlDeviceGetFieldValues)      cpus 255
 *   error 15                (what every question about this card is answered with)
 *   utilization 87          temperature 61    used_mib 4096   (absent: 0, not supported, 0)
 *   pid_mib 512             (what each of the processes `pids` holds; absent: the driver keeps it)
 *   utilization_error 4     temperature_error 3     memory_error 4    (answers to that question)
 *   temperature_ms 3000     (how long that question takes)
 *   memory_mib 81920        limit_mw 400000   capability 8.0   mig 1   mig_uuid MIG-1   pids 12,34
 *
 * Without FAKE_NVML_STATE it answers as if no driver were installed. Values and layouts are those
 * of NVIDIA's public nvml.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
  OK = 0, UNINITIALIZED = 1, INVALID = 2, NOT_SUPPORTED = 3, NOT_FOUND = 6, INSUFFICIENT_SIZE = 7,
  LIBRARY_NOT_FOUND = 12, FUNCTION_NOT_FOUND = 13
};
enum { GPUS = 16, MIGS = 8, PIDS = 16, TEXT = 96 };

typedef unsigned long long u64;

typedef struct {
  char uuid[TEXT], name[TEXT], mig_uuid[MIGS][TEXT];
  int has_energy, error, mig, migs, pid_count, major, minor;
  int has_temperature, utilization_error, temperature_error, memory_error;
  unsigned average_mw, instant_mw, module_mw, hbm_mw, sm_mhz, memory_mhz;
  int counted_pct, smoothing, no_fields, reasons, profile, c2c;
  u64 cpus;
  unsigned power_mw, limit_mw, pids[PIDS], utilization, temperature, temperature_ms;
  u64 energy_mj, memory_mib, used_mib, pid_mib;
  double live_since;
} Gpu;

typedef struct {
  char driver[TEXT];
  int cuda, init_error, count, found;
  Gpu gpu[GPUS];
} State;

typedef struct { unsigned pid; u64 used; unsigned gi, ci; } ProcessInfo;
typedef struct { u64 total, free, used; } Memory;
typedef struct { unsigned version; u64 total, reserved, free, used; } MemoryV2;
typedef struct {
  char legacy[16];
  unsigned domain, bus, device, device_id, subsystem_id;
  char bus_id[32];
} PciInfo;
typedef struct { unsigned gpu, memory; } Utilization;
typedef struct {
  unsigned field, scope;
  long long timestamp, latency;
  int type, result;
  u64 value; /* a union: of type 1, unsigned int, its first bytes are the value */
} FieldValue;
typedef struct { unsigned version, perf[8], requested[8], enforced[8]; } Profiles;

static int references;
static char card[GPUS], part[GPUS][MIGS]; /* a handle is the address of one of these */

static void set(State *s, Gpu *g, const char *key, const char *value) {
  if (!strcmp(key, "driver")) snprintf(s->driver, TEXT, "%s", value);
  else if (!strcmp(key, "cuda")) s->cuda = atoi(value);
  else if (!strcmp(key, "init_error")) s->init_error = atoi(value);
  else if (!g) return;
  else if (!strcmp(key, "uuid")) snprintf(g->uuid, TEXT, "%s", value);
  else if (!strcmp(key, "name")) snprintf(g->name, TEXT, "%s", value);
  else if (!strcmp(key, "power_mw")) g->power_mw = (unsigned)atol(value);
  else if (!strcmp(key, "average_mw")) g->average_mw = (unsigned)atol(value);
  else if (!strcmp(key, "instant_mw")) g->instant_mw = (unsigned)atol(value);
  else if (!strcmp(key, "module_mw")) g->module_mw = (unsigned)atol(value);
  else if (!strcmp(key, "hbm_mw")) g->hbm_mw = (unsigned)atol(value);
  else if (!strcmp(key, "sm_mhz")) g->sm_mhz = (unsigned)atol(value);
  else if (!strcmp(key, "memory_mhz")) g->memory_mhz = (unsigned)atol(value);
  else if (!strcmp(key, "counted_pct")) g->counted_pct = atoi(value);
  else if (!strcmp(key, "smoothing")) g->smoothing = atoi(value);
  else if (!strcmp(key, "no_fields")) g->no_fields = atoi(value);
  else if (!strcmp(key, "reasons")) g->reasons = atoi(value);
  else if (!strcmp(key, "profile")) g->profile = atoi(value);
  else if (!strcmp(key, "c2c")) g->c2c = atoi(value);
  else if (!strcmp(key, "cpus")) g->cpus = strtoull(value, NULL, 10);
  else if (!strcmp(key, "limit_mw")) g->limit_mw = (unsigned)atol(value);
  else if (!strcmp(key, "memory_mib")) g->memory_mib = strtoull(value, NULL, 10);
  else if (!strcmp(key, "live_since")) g->live_since = atof(value);
  else if (!strcmp(key, "error")) g->error = atoi(value);
  else if (!strcmp(key, "mig")) g->mig = atoi(value);
  else if (!strcmp(key, "utilization")) g->utilization = (unsigned)atol(value);
  else if (!strcmp(key, "temperature")) { g->has_temperature = 1; g->temperature = (unsigned)atol(value); }
  else if (!strcmp(key, "temperature_ms")) g->temperature_ms = (unsigned)atol(value);
  else if (!strcmp(key, "used_mib")) g->used_mib = strtoull(value, NULL, 10);
  else if (!strcmp(key, "pid_mib")) g->pid_mib = strtoull(value, NULL, 10);
  else if (!strcmp(key, "utilization_error")) g->utilization_error = atoi(value);
  else if (!strcmp(key, "temperature_error")) g->temperature_error = atoi(value);
  else if (!strcmp(key, "memory_error")) g->memory_error = atoi(value);
  else if (!strcmp(key, "capability")) sscanf(value, "%d.%d", &g->major, &g->minor);
  else if (!strcmp(key, "energy_mj")) { g->has_energy = 1; g->energy_mj = strtoull(value, NULL, 10); }
  else if (!strcmp(key, "mig_uuid") && g->migs < MIGS) snprintf(g->mig_uuid[g->migs++], TEXT, "%s", value);
  else if (!strcmp(key, "pids"))
    for (char *end; *value && g->pid_count < PIDS; value = *end ? end + 1 : end)
      g->pids[g->pid_count++] = (unsigned)strtoul(value, &end, 10);
}

static void load(State *s) {
  memset(s, 0, sizeof *s);
  snprintf(s->driver, TEXT, "550.54.15");
  s->cuda = 12040;
  const char *path = getenv("FAKE_NVML_STATE");
  FILE *file = path ? fopen(path, "r") : NULL;
  if (!file) return;
  s->found = 1;
  char line[512];
  while (fgets(line, sizeof line, file)) {
    line[strcspn(line, "\r\n")] = 0;
    char *value = strchr(line, ' ');
    if (value) *value++ = 0;
    if (!strcmp(line, "gpu") && s->count < GPUS) {
      Gpu *g = &s->gpu[s->count++];
      g->live_since = -1;
      g->major = 8;
      g->counted_pct = 100;
      g->smoothing = g->reasons = g->profile = -1;
    } else if (value) {
      set(s, s->count ? &s->gpu[s->count - 1] : NULL, line, value);
    }
  }
  fclose(file);
}

/* The card behind a handle (a MIG device's parent too), or the error to answer with. */
static int find(void *handle, State *s, Gpu **gpu) {
  if (!references) return UNINITIALIZED;
  load(s);
  for (int i = 0; i < s->count; i++) {
    int is_part = (char *)handle >= part[i] && (char *)handle < part[i] + MIGS;
    if (handle != &card[i] && !is_part) continue;
    *gpu = &s->gpu[i];
    return s->gpu[i].error;
  }
  return NOT_FOUND;
}

#define CARD                              \
  State s;                                \
  Gpu *g = NULL;                          \
  int error = find(handle, &s, &g);       \
  if (error) return error

static int text(const char *value, char *out, unsigned size) {
  if (strlen(value) + 1 > size) return INSUFFICIENT_SIZE;
  strcpy(out, value);
  return OK;
}

int nvmlInitWithFlags(unsigned flags) {
  State s;
  (void)flags;
  load(&s);
  if (!s.found) return LIBRARY_NOT_FOUND;
  if (s.init_error) return s.init_error;
  references++;
  return OK;
}
int nvmlInit_v2(void) { return nvmlInitWithFlags(0); }
int nvmlShutdown(void) {
  if (!references) return UNINITIALIZED;
  references--;
  return OK;
}
int fakeReferences(void) { return references; } /* not NVML: how often init was not yet undone */

const char *nvmlErrorString(int code) {
  static char words[32];
  snprintf(words, sizeof words, "fake NVML error %d", code);
  return words;
}

int nvmlSystemGetDriverVersion(char *out, unsigned size) {
  State s;
  if (!references) return UNINITIALIZED;
  load(&s);
  return text(s.driver, out, size);
}
int nvmlSystemGetNVMLVersion(char *out, unsigned size) { return text("12.550.54.15", out, size); }
int nvmlSystemGetCudaDriverVersion(int *out) {
  State s;
  load(&s);
  *out = s.cuda;
  return OK;
}
int nvmlSystemGetCudaDriverVersion_v2(int *out) { return nvmlSystemGetCudaDriverVersion(out); }

int nvmlDeviceGetCount_v2(unsigned *out) {
  State s;
  if (!references) return UNINITIALIZED;
  load(&s);
  *out = (unsigned)s.count;
  return OK;
}
int nvmlDeviceGetHandleByIndex_v2(unsigned index, void **out) {
  State s;
  if (!references) return UNINITIALIZED;
  load(&s);
  if (index >= (unsigned)s.count) return INVALID;
  *out = &card[index];
  return s.gpu[index].error;
}
int nvmlDeviceGetHandleByUUID(const char *uuid, void **out) {
  State s;
  if (!references) return UNINITIALIZED;
  load(&s);
  for (int i = 0; i < s.count; i++) {
    if (!strcmp(s.gpu[i].uuid, uuid)) { *out = &card[i]; return s.gpu[i].error; }
    for (int m = 0; m < s.gpu[i].migs; m++)
      if (!strcmp(s.gpu[i].mig_uuid[m], uuid)) { *out = &part[i][m]; return s.gpu[i].error; }
  }
  return NOT_FOUND;
}
int nvmlDeviceGetName(void *handle, char *out, unsigned size) { CARD; return text(g->name, out, size); }
int nvmlDeviceGetUUID(void *handle, char *out, unsigned size) {
  CARD;
  size_t i = (size_t)(g - s.gpu);
  if (handle == &card[i]) return text(g->uuid, out, size);
  return text(g->mig_uuid[(char *)handle - part[i]], out, size);
}
int nvmlDeviceGetIndex(void *handle, unsigned *out) { CARD; *out = (unsigned)(g - s.gpu); return OK; }

int nvmlDeviceGetTotalEnergyConsumption(void *handle, u64 *out) {
  CARD;
  if (!g->has_energy) return NOT_SUPPORTED;
  *out = g->energy_mj;
  if (g->live_since >= 0) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    *out += (u64)(((double)now.tv_sec + now.tv_nsec * 1e-9 - g->live_since) * g->power_mw * g->counted_pct / 100);
  }
  return OK;
}
int nvmlDeviceGetPowerUsage(void *handle, unsigned *out) {
  CARD;
  if (!g->power_mw) return NOT_SUPPORTED;
  *out = g->power_mw;
  return OK;
}
int nvmlDeviceGetFieldValues(void *handle, int count, FieldValue *values) {
  CARD;
  if (g->no_fields) return FUNCTION_NOT_FOUND;
  for (int i = 0; i < count; i++) {
    FieldValue *v = &values[i];
    int is_power = v->field == 185 || v->field == 186;
    unsigned of_gpu = v->field == 185 ? g->average_mw : g->instant_mw;
    unsigned mean = v->field == 185;
    unsigned power[] = {of_gpu, mean ? g->module_mw : 0, mean ? g->hbm_mw : 0};
    v->type = 1;
    v->result = OK;
    if (is_power && v->scope < 3 && power[v->scope]) v->value = power[v->scope];
    else if (v->field == 251 && g->smoothing >= 0) v->value = (u64)g->smoothing;
    else v->result = NOT_SUPPORTED;
  }
  return OK;
}
int nvmlDeviceGetC2cModeInfoV(void *handle, unsigned *out) {
  CARD;
  *out = (unsigned)g->c2c;
  return g->c2c ? OK : NOT_SUPPORTED;
}
int nvmlDeviceGetClockInfo(void *handle, int clock, unsigned *out) {
  CARD;
  *out = clock == 1 ? g->sm_mhz : clock == 2 ? g->memory_mhz : 0;
  return *out ? OK : NOT_SUPPORTED;
}
int nvmlDeviceGetCurrentClocksEventReasons(void *handle, u64 *out) {
  CARD;
  *out = (u64)g->reasons;
  return g->reasons < 0 ? NOT_SUPPORTED : OK;
}
int nvmlDeviceWorkloadPowerProfileGetCurrentProfiles(void *handle, Profiles *out) {
  CARD;
  if (g->profile < 0) return NOT_SUPPORTED;
  memset(out->enforced, 0, sizeof out->enforced);
  out->enforced[g->profile / 32] = 1u << g->profile % 32;
  return OK;
}
int nvmlDeviceGetCpuAffinity(void *handle, unsigned size, unsigned long *out) {
  CARD;
  if (!g->cpus) return NOT_SUPPORTED;
  memset(out, 0, size * sizeof *out);
  out[0] = g->cpus;
  return OK;
}
int nvmlDeviceGetPowerManagementLimit(void *handle, unsigned *out) {
  CARD;
  if (!g->limit_mw) return NOT_SUPPORTED;
  *out = g->limit_mw;
  return OK;
}
int nvmlDeviceGetPowerManagementDefaultLimit(void *handle, unsigned *out) {
  return nvmlDeviceGetPowerManagementLimit(handle, out);
}
int nvmlDeviceGetEnforcedPowerLimit(void *handle, unsigned *out) {
  return nvmlDeviceGetPowerManagementLimit(handle, out);
}
int nvmlDeviceGetMemoryInfo(void *handle, Memory *out) {
  CARD;
  out->total = g->memory_mib << 20;
  out->used = (g->used_mib + 500) << 20; /* with what the driver keeps for itself */
  out->free = out->total - out->used;
  return g->memory_error;
}
int nvmlDeviceGetMemoryInfo_v2(void *handle, MemoryV2 *out) {
  CARD;
  out->total = g->memory_mib << 20;
  out->reserved = 500 << 20;
  out->used = g->used_mib << 20;
  out->free = out->total - out->reserved - out->used;
  return g->memory_error;
}
int nvmlDeviceGetCudaComputeCapability(void *handle, int *major, int *minor) {
  CARD;
  *major = g->major;
  *minor = g->minor;
  return OK;
}
int nvmlDeviceGetUtilizationRates(void *handle, Utilization *out) {
  CARD;
  out->gpu = g->utilization;
  out->memory = 0;
  return g->utilization_error;
}
int nvmlDeviceGetTemperature(void *handle, int sensor, unsigned *out) {
  CARD;
  struct timespec pause = {g->temperature_ms / 1000, (long)(g->temperature_ms % 1000) * 1000000};
  if (g->temperature_ms) nanosleep(&pause, NULL);
  if (sensor || !g->has_temperature) return NOT_SUPPORTED;
  *out = g->temperature;
  return g->temperature_error;
}
int nvmlDeviceGetPciInfo_v3(void *handle, PciInfo *out) {
  CARD;
  memset(out, 0, sizeof *out);
  out->bus = (unsigned)(g - s.gpu) + 1;
  out->device_id = 0x20b010de;
  snprintf(out->bus_id, sizeof out->bus_id, "00000000:%02X:00.0", out->bus);
  snprintf(out->legacy, sizeof out->legacy, "0000:%02X:00.0", out->bus);
  return OK;
}

int nvmlDeviceGetMigMode(void *handle, unsigned *current, unsigned *pending) {
  CARD;
  if (!g->mig && !g->migs) return NOT_SUPPORTED;
  *current = *pending = (unsigned)g->mig;
  return OK;
}
int nvmlDeviceGetMaxMigDeviceCount(void *handle, unsigned *out) {
  CARD;
  *out = g->migs ? MIGS : 0;
  return OK;
}
int nvmlDeviceGetMigDeviceHandleByIndex(void *handle, unsigned index, void **out) {
  CARD;
  if (index >= (unsigned)g->migs) return NOT_FOUND;
  *out = &part[g - s.gpu][index];
  return OK;
}
int nvmlDeviceGetComputeRunningProcesses_v3(void *handle, unsigned *count, ProcessInfo *out) {
  CARD;
  unsigned size = *count;
  *count = (unsigned)g->pid_count;
  if (size < *count) return INSUFFICIENT_SIZE;
  for (unsigned i = 0; i < *count; i++) out[i] = (ProcessInfo){g->pids[i], g->pid_mib ? g->pid_mib << 20 : ~0ull, ~0u, ~0u};
  return OK;
}
