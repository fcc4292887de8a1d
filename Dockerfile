# The prediction service. `docker build -t rowcast-service .`; settings: .env.example.
FROM python:3.12-slim

# LightGBM's OpenMP.
RUN apt-get update \
  && apt-get install --yes --no-install-recommends libgomp1 \
  && rm -rf /var/lib/apt/lists/* \
  && useradd --system --no-create-home --uid 10001 rowcast

WORKDIR /app
COPY requirements-service.lock .
RUN pip install --no-cache-dir --require-hashes -r requirements-service.lock
COPY py/rowcast py/rowcast

ENV PYTHONPATH=/app/py PYTHONDONTWRITEBYTECODE=1 ROWCAST_HOST=0.0.0.0
USER rowcast
EXPOSE 54327
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s CMD ["python", "-m", "rowcast.service.healthcheck"]
CMD ["python", "-m", "rowcast.service"]
